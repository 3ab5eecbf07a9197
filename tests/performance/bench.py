"""Measures deskbus beside other brokers: `python -m tests.performance.bench`.

Runs alternate between the servers, the medians count. It prints a table and writes
build/bench/results.json, details.json and charts. A missed goal is a figure like any other; the
exit code is 1 only where deskbus itself could not be measured.
"""

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from statistics import median

import msgspec

from tests.performance.measures import growth, memory
from tests.performance.report import chart, docs, outcome
from tests.performance.report.rows import EARLIER, QUICK, ROWS, SERVERS, Row, Scale
from tests.performance.report.versions import versions
from tests.performance.servers.load import ROOT, Figures, LoadError
from tests.performance.servers.server import ServerError, started

OUTPUT = ROOT / "build" / "bench"
GROWTH = "growth"
JETSTREAM_NOTE = (
    "JetStream's acknowledgement does not wait for the disk: it syncs its files every two minutes "
    "(sync_interval's default). deskbus answers a durable publish after the fsync that covers it."
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    scale = QUICK if options.quick else Scale()
    if options.rounds:
        scale = msgspec.structs.replace(scale, rounds=options.rounds)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    EARLIER.commit = options.earlier

    before = os.getloadavg()
    curves: list[outcome.Curve] = []
    left_out: list[str] = []
    measured, broken = _measure_all(_chosen(options.rows), scale, left_out)
    if not options.rows or GROWTH in options.rows:
        try:
            curves = growth.measure(quick=options.quick) + memory.measure(quick=options.quick)
        except (LoadError, ServerError) as error:
            left_out.append(f"growth: deskbus could not be measured: {error}")
            broken = True

    if measured:
        print(outcome.table(measured))
        if any("jetstream" in each.medians for each in measured):
            print(f"\n{JETSTREAM_NOTE}")
    if curves:
        print(f"\n{growth.table(curves)}")
    for line in left_out:
        print(f"\n{line}")
    told = versions()
    print("\nVersions: " + ", ".join(f"{name} {number}" for name, number in told.items()))
    notes = {"machine": {**_machine(), "load_before": before}, "versions": told, "growth": curves}
    outcome.write(measured, notes, OUTPUT)
    chart.draw(measured, OUTPUT / "chart.png")
    growth.draw(curves, OUTPUT / "growth.png")
    if options.docs and not broken:
        docs.main([str(OUTPUT / "results.json")])
    print(f"\nWritten to {OUTPUT.relative_to(ROOT)}/: results.json, details.json, chart.png")
    return 1 if broken else 0


def _measure_all(
    rows: Sequence[Row], scale: Scale, left_out: list[str]
) -> tuple[list[outcome.Measured], bool]:
    """The rows that can be measured, and whether one of ours failed; `left_out` is told of both."""
    measured: list[outcome.Measured] = []
    broken = False
    for row in rows:
        if not row.possible:
            left_out.append(f"{row.name}: not measured, deskbus has no {row.needs} yet")
            continue
        if not _comparable(row):
            left_out.append(f"{row.name}: not measured, there is nothing to compare it with")
            continue
        try:
            shared = next((each for each in measured if each.row.runs_as(row)), None)
            measured.append(_measure(row, scale) if shared is None else shared.read_as(row))
        except (LoadError, ServerError) as error:
            left_out.append(f"{row.name}: {row.ours} could not be measured: {error}")
            broken = True
    return measured, broken


def _comparable(row: Row) -> bool:
    """Whether a goal bounds ours itself, or ours over a peer that is there."""
    return any(goal.against is None or SERVERS[goal.against].installed() for goal in row.goals)


def _measure(row: Row, scale: Scale) -> outcome.Measured:
    """Runs a row; raises where ours fails, and leaves out a peer that does."""
    names = [row.ours, *(name for name in row.peers if SERVERS[name].installed())]
    runs: dict[str, list[Figures]] = {name: [] for name in names}
    rounds = min(scale.rounds, row.max_rounds)
    if scale is not QUICK:
        rounds = max(rounds, row.min_rounds)
    for turn in range(1, rounds + 1):
        # The other way round each time, so that none has the place behind another.
        order = names if turn % 2 else names[::-1]
        for name in [name for name in order if name in runs]:
            try:
                with started(SERVERS[name]) as running:
                    figures = row.measure(running, scale)
            except (LoadError, ServerError) as error:
                if name == row.ours:
                    raise
                _say(f"{row.name}: {name} failed and is left out: {error}")
                del runs[name]
                continue
            runs[name].append(figures)
            value = outcome.number(figures[row.figure])
            _say(f"{row.name}: round {turn} of {rounds}: {name} {value} {row.unit}")
    return outcome.Measured(row=row, medians=_medians(runs), runs=runs)


def _medians(runs: Mapping[str, Sequence[Figures]]) -> dict[str, Figures]:
    return {
        name: {key: median(run[key] for run in many) for key in many[0]}
        for name, many in runs.items()
    }


def _chosen(names: Sequence[str]) -> list[Row]:
    """The rows of these names, or whose names begin so; all of them if there are none."""
    if not names:
        return list(ROWS)
    keys = {row.key for row in ROWS}
    wanted = [name.lower() for name in names]
    whole = set(wanted) & keys
    begun = tuple(name for name in wanted if name not in whole)
    return [row for row in ROWS if row.key in whole or (begun and row.key.startswith(begun))]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    keys = ", ".join([*(row.key for row in ROWS), GROWTH])
    parser = argparse.ArgumentParser(prog="python -m tests.performance.bench")
    parser.add_argument(
        "--rows",
        nargs="+",
        metavar="NAME",
        default=[],
        help=f"only these, or what begins so: {keys}",
    )
    parser.add_argument("--rounds", type=int, help="runs of each server (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one short run each")
    parser.add_argument(
        "--docs", action="store_true", help="write the table of docs/performance.md, of a whole run"
    )
    parser.add_argument(
        "--earlier", metavar="COMMIT", default="", help="measure the backend of this commit too"
    )
    options = parser.parse_args(arguments)
    if options.docs and (options.rows or options.quick):
        parser.error("--docs is for a whole run: without --rows and --quick")
    return options


def _machine() -> dict[str, object]:
    return {
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
