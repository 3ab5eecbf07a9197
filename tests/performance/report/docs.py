"""The table of docs/performance.md, made from results.json.

`python -m tests.performance.report.docs` writes it. One run, one date, one table: all rows come
from one file, and the date is when it was written.
"""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from deskbus_protocol.wording.quantity import counted
from tests.performance.report.outcome import Result, number
from tests.performance.report.rows import ROWS
from tests.performance.servers.load import ROOT

PAGE = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "images" / "bench.png"
RESULTS = ROOT / "build" / "bench" / "results.json"
BEGIN = "<!-- make bench writes from here"
END = "<!-- to here -->"
_PART = re.compile(re.escape(BEGIN) + r"[^\n]*\n.*?" + re.escape(END), re.DOTALL)


class Machine(msgspec.Struct):
    """Load averages; those over a minute come first."""

    load: tuple[float, ...] = ()
    load_before: tuple[float, ...] = ()


class Notes(msgspec.Struct):
    """As much of details.json as the page tells."""

    versions: dict[str, str] = {}
    machine: Machine = msgspec.field(default_factory=Machine)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the table; exits with 1 where there is no run to write of."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    path = Path(words[0]) if words else RESULTS
    try:
        results = read(path)
    except (OSError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"{path} is no result of a run: {error}; make bench makes one\n")
        return 1
    write(results, datetime.fromtimestamp(path.stat().st_mtime, UTC), notes=_notes(path))
    chart = path.with_name("chart.png")
    if chart.is_file():
        shutil.copyfile(chart, CHART)
    return 0


def read(path: Path) -> list[Result]:
    """Raises `OSError`, and `MsgspecError` for what is not a list of such rows."""
    return msgspec.json.decode(path.read_bytes(), type=list[Result])


def _notes(path: Path) -> Notes:
    """Versions and load of the same run, beside its results."""
    try:
        return msgspec.json.decode(path.with_name("details.json").read_bytes(), type=Notes)
    except (OSError, msgspec.MsgspecError):
        return Notes()


def write(
    results: Sequence[Result],
    measured: datetime,
    page: Path = PAGE,
    notes: Notes | None = None,
) -> None:
    """Replaces what stands between the marks; raises `ValueError` where they are missing."""
    text = page.read_text("utf-8")
    part = f"{BEGIN}; edits are lost -->\n{section(results, measured, notes or Notes())}\n{END}"
    text, count = _PART.subn(lambda _: part, text)
    if count != 1:
        raise ValueError(f"{page} has {count} parts between {BEGIN} and {END}, and needs one")
    page.write_text(text, "utf-8")


def section(results: Sequence[Result], measured: datetime, notes: Notes) -> str:
    met = sum(result.met for result in results)
    goals = counted(len(results), "goal")
    lines = [
        f"One run, {measured:%Y-%m-%d}, {os.cpu_count()} processors: {met} of {goals} met.",
        "",
        "| what | deskbus | unit | beside | goal | met |",
        "| --- | ---: | --- | --- | --- | --- |",
        *(_line(result) for result in results),
    ]
    machine = notes.machine
    if machine.load and machine.load_before:
        loads = f"{machine.load_before[0]:.1f} and {machine.load[0]:.1f}"
        lines += ["", f"Load of the machine before and after the run: {loads}."]
    if notes.versions:
        told = ", ".join(f"{name} {number}" for name, number in notes.versions.items())
        lines += ["", f"Versions: {told}."]
    return "\n".join(lines)


def _line(result: Result) -> str:
    beside = ", ".join(f"{name} {number(value)}" for name, value in result.peers.items())
    better = {row.name: row.better for row in ROWS}.get(result.name)
    sign = {"more": "≥ ", "less": "≤ "}.get(better or "", "")
    goal = f"{sign}{number(result.goal)}"
    if result.against is not None and result.ratio is not None:
        goal += f" × {result.against}; it is {number(result.ratio)} ×"
    met = "yes" if result.met else "**no**"
    return f"| {result.name} | {number(result.ours)} | {result.unit} | {beside} | {goal} | {met} |"


if __name__ == "__main__":
    sys.exit(main())
