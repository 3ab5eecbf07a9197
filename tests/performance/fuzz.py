"""Hostile bytes on every entrance: `python -m tests.performance.fuzz --seconds 60`.

A third of the time goes to the framing decoders, to what reads a frame, and to a real backend's
pipe each. Every case comes from the seed and its own number: what was found in a decoder is seen
again with `--seed S --target T --case N`. The exit code is 1 where something was found.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tests.performance.fuzzing import mutation
from tests.performance.fuzzing.decoders import framing_holds, reading_holds
from tests.performance.fuzzing.pipe import Pipe
from tests.performance.report.rows import SERVERS
from tests.performance.servers.server import started

SEED = 1

Check = Callable[[random.Random], None]


@contextmanager
def _decoders(check: Check) -> Iterator[Check]:
    yield check


def _framing(chance: random.Random) -> None:
    block = mutation.stream(chance)
    framing_holds(block, mutation.pieces(chance, block))


def _reading(chance: random.Random) -> None:
    reading_holds(mutation.lines(chance))


@contextmanager
def _pipe() -> Iterator[Check]:
    with started(SERVERS["deskbus"]) as running:
        pipe = Pipe(running)

        def check(chance: random.Random) -> None:
            pipe.holds(chance, mutation.pieces(chance, mutation.stream(chance)))

        yield check
        pipe.close()


TARGETS = {
    "framing": lambda: _decoders(_framing),
    "reading": lambda: _decoders(_reading),
    "pipe": _pipe,
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    print(f"seed {options.seed}")
    found = False
    targets = [options.target] if options.target else list(TARGETS)
    for target in targets:
        with TARGETS[target]() as check:
            if options.case is not None:
                check(_chance(options.seed, target, options.case))
                continue
            found = _hunt(target, check, options.seed, options.seconds / len(targets)) or found
    return 1 if found else 0


def _hunt(target: str, check: Check, seed: int, length_s: float) -> bool:
    """Runs cases for a while, or to the first find; says whether there was one."""
    until = time.monotonic() + length_s
    case = 0
    while time.monotonic() < until:
        try:
            check(_chance(seed, target, case))
        except Exception as error:  # whatever is raised is the find
            print(f"{target}: FOUND at --seed {seed} --target {target} --case {case}: {error!r}")
            return True
        case += 1
    print(f"{target}: {case:,} cases, nothing found")
    return False


def _chance(seed: int, target: str, case: int) -> random.Random:
    return random.Random(f"{seed} {target} {case}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.fuzz")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--target", choices=list(TARGETS))
    parser.add_argument("--case", type=int, help="only this one, with its traceback")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
