"""Fuzzing by coverage, with atheris: `python -m tests.performance.fuzzing.guided --seconds 60`.

Each parser has a process of its own, for an equal part of the time: what reaches new code is kept
and bent further. What was found is printed, and is seen again with `--parser P --again FILE`. The
exit code is 1 where something was found, and 0 where atheris has no wheel for this machine.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[3]
OUTPUT = ROOT / "build" / "fuzz"
LONGEST_BYTES = 4096
SLOWEST_S = 10
"""An input that takes so long is a find."""

PARSERS = (
    "framing",
    "reading",
    "patterns",
    "segments",
    "audit",
    "vault",
    "federation",
    "origins",
    "settings",
)
_STATUS = re.compile(r"#(\d+)\s+(INITED|DONE)\s+cov: (\d+)")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if importlib.util.find_spec("atheris") is None:
        print("atheris has no wheel for this machine: nothing was fuzzed by coverage")
        return 0
    if options.child:
        _fuzz(options.parser, [str(ROOT), *options.rest])
    parsers = [options.parser] if options.parser else PARSERS
    if options.again:
        return _ran(options.parser, [str(options.again)]).returncode
    found = False
    for parser in parsers:
        found = _hunt(parser, options.seconds / len(parsers), options.seed) or found
    return 1 if found else 0


def _hunt(parser: str, length_s: float, seed: int) -> bool:
    """Fuzzes one parser; says whether something was found."""
    corpus = OUTPUT / "corpus" / parser
    corpus.mkdir(parents=True, exist_ok=True)
    ran = _ran(
        parser,
        [
            str(corpus),
            f"-max_total_time={max(1, round(length_s))}",
            f"-seed={seed}",
            f"-timeout={SLOWEST_S}",
            f"-max_len={LONGEST_BYTES}",
            f"-artifact_prefix={OUTPUT}/{parser}-",
        ],
    )
    status = {kind: (int(runs), int(edges)) for runs, kind, edges in _STATUS.findall(ran.stderr)}
    if ran.returncode:
        print(f"{parser}: FOUND\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}")
        return True
    (_, begun), (runs, ended) = status["INITED"], status["DONE"]
    print(f"{parser}: {runs:,} runs, {begun} places of the code reached at first, {ended} at last")
    return False


def _ran(parser: str, words: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", __spec__.name, "--child", "--parser", parser, "--", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def _fuzz(parser: str, arguments: list[str]) -> NoReturn:
    """In the child: until the time is up, or the first find. libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["deskbus", "deskbus_protocol"]):
        from tests.performance.fuzzing.parsers import PARSERS as ALL
    check, seeds = ALL[parser]
    corpus = Path(arguments[1])
    if corpus.is_dir():
        for number, seed in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(arguments, check)
    atheris.Fuzz()
    raise AssertionError("libFuzzer ends the process")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.fuzzing.guided")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parser", choices=PARSERS)
    parser.add_argument("--again", type=Path, help="a file that was found")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
