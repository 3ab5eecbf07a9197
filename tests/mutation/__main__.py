"""Runs the tests of a package against its mutants: `python -m tests.mutation trie`.

Each mutant is tried in a copy of the sources, by the tests that the table names, until the first
failure. Survivors are printed with the line. The exit code is 1 where fewer than 90 of 100 are
killed that are not known to be equivalent.
"""

import argparse
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, NoReturn

# Imported once, for all the runs that are forked.
import anyio
import cryptography.hazmat.primitives.ciphers.aead
import hypothesis.stateful
import jsonschema
import msgspec
import pytest
import structlog
import xdist

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.packages import PACKAGES, Package

ROOT = Path(__file__).parents[2]
INSTALLED = [each for each in sys.path if "site-packages" in each]
PRELOADED = (anyio, cryptography, hypothesis, jsonschema, msgspec, structlog, xdist)
KILLED_AT_LEAST = 0.9
Z_95 = 1.959964
SLOWER = 5.0
"""A mutant whose tests take so many times as long as those of the sources loops for ever."""
LEAST_LIMIT_S = 30.0


class Outcome(NamedTuple):
    """A `late` kill is one by the limit of time, as a busy machine makes some, too."""

    module: str
    mutant: Mutant
    killed: bool
    late: bool = False


class Trial:
    """Copies of the sources, one for each test run at a time.

    A run is a fork of this process, in which the libraries of tests are imported already, and
    nothing of the product.
    """

    def __init__(self, folder: Path, package: Package, jobs: int) -> None:
        self._package = package
        self._free = [folder / f"copy{number}" for number in range(jobs)]
        self._runs: dict[int, tuple[Path, Path | None, str, Outcome | None]] = {}
        self.limit_s = 600
        for copy in self._free:
            for part in ("backend", "protocol"):
                ignore = shutil.ignore_patterns("__pycache__", "*.so")
                shutil.copytree(ROOT / part, copy / part, ignore=ignore)
            for name in ("tests", "demo", "schemas", "docs", "electron-bridge", "pyproject.toml"):
                (copy / name).symlink_to(ROOT / name)

    def passes(self) -> bool:
        """Whether the tests pass without a mutant."""
        self._begin(None)
        return self._await_one() is None

    def outcomes(self, wanted: Iterable[tuple[str, Mutant]]) -> Iterator[Outcome]:
        """Each as soon as it is known."""
        for module, mutant in wanted:
            if not self._free:
                yield self._known(self._await_one())
            self._begin(Outcome(module, mutant, killed=False))
        while self._runs:
            yield self._known(self._await_one())

    @staticmethod
    def _known(outcome: Outcome | None) -> Outcome:
        assert outcome is not None
        return outcome

    def _begin(self, outcome: Outcome | None) -> None:
        copy = self._free.pop()
        path, whole = None, ""
        if outcome is not None:
            path = copy / "backend/deskbus" / outcome.module
            whole = path.read_text("utf-8")
            path.write_text(outcome.mutant.source, "utf-8")
        pid = os.fork()
        if pid == 0:
            self._run(copy)
        self._runs[pid] = copy, path, whole, outcome

    def _run(self, copy: Path) -> NoReturn:
        """In the child: a mutant that loops for ever is ended by its alarm."""
        signal.alarm(int(self.limit_s))
        with Path(os.devnull).open("r+b") as nothing:
            for descriptor in range(3):
                os.dup2(nothing.fileno(), descriptor)
        roots = [str(copy / "backend"), str(copy / "protocol"), str(copy)]
        sys.path[:] = roots + [each for each in sys.path if not each.startswith(str(ROOT))]
        sys.path += [each for each in INSTALLED if each not in sys.path]
        os.environ["PYTHONPATH"] = os.pathsep.join(roots)
        os.chdir(copy)
        code = 1
        try:
            code = pytest.main(
                [
                    *("-q", "-x", "-n0", "--rootdir", str(copy), "-m", "not serial"),
                    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
                    "--hypothesis-profile=mutation",
                    *(str(copy / "tests" / each) for each in self._package.tests),
                ]
            )
        finally:
            os._exit(int(code))

    def _await_one(self) -> Outcome | None:
        """The word of the next run that ends; None where the tests pass without a mutant."""
        pid, status = os.waitpid(-1, 0)
        copy, path, whole, outcome = self._runs.pop(pid)
        if path is not None:
            path.write_text(whole, "utf-8")
        self._free.append(copy)
        if outcome is None:
            return None if status == 0 else Outcome("", Mutant(0, 0, "none", ""), killed=True)
        late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
        return outcome._replace(killed=status != 0, late=late)


def interval(killed: int, of: int) -> tuple[float, float]:
    """Wilson's interval of a share, at 95 %."""
    share, z2 = killed / of, Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return middle - half, middle + half


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("package", choices=PACKAGES)
    parser.add_argument("--sample", type=int, default=0, help="so many at random; 0 is all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--within", type=float, default=math.inf, help="seconds, then no more")

    options = parser.parse_args()
    package = PACKAGES[options.package]
    wanted = [
        (module, mutant)
        for module in package.modules
        for mutant in mutants((ROOT / "backend/deskbus" / module).read_text("utf-8"))
        if mutant.words not in package.equivalent.get(module, {})
    ]
    total = len(wanted)
    if options.sample:
        wanted = random.Random(options.seed).sample(wanted, min(options.sample, total))
        print(f"seed {options.seed}: {len(wanted)} of {total} mutants")
    began = time.monotonic()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        trial = Trial(Path(folder), package, options.jobs)
        if not trial.passes():
            print("the tests fail without a mutant")
            return 2
        trial.limit_s = int(max(LEAST_LIMIT_S, SLOWER * (time.monotonic() - began)))
        in_time = takewhile(lambda _: time.monotonic() - began < options.within, wanted)
        for outcome in trial.outcomes(in_time):
            outcomes.append(outcome)
            if not outcome.killed:
                module, mutant, *_ = outcome
                print(f"SURVIVES {module}:{mutant.line}: {mutant.words}", flush=True)
    survivors = [each for each in outcomes if not each.killed]
    killed = len(outcomes) - len(survivors)
    low, high = interval(killed, len(outcomes))
    late = sum(each.late for each in outcomes)
    known = sum(map(len, package.equivalent.values()))
    print(
        f"{options.package}: {killed} of {len(outcomes)} killed ({killed / len(outcomes):.1%}; "
        f"{low:.1%} to {high:.1%}), {late} of them by going on for ever, {known} equivalent, "
        f"{time.monotonic() - began:.0f} s"
    )
    if len(outcomes) < len(wanted):
        print(f"{len(wanted) - len(outcomes)} were not tried for want of time")
    return 0 if killed >= KILLED_AT_LEAST * len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
