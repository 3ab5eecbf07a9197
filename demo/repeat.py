"""Plays the demo's story again and again, and counts: `make demo-repeat N=10`.

With LOAD=1 it plays beside two busy loops. Exits with 0 if every run succeeded.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from demo.electron import ROOT
from demo.processes import kill, tree

LOGS = ROOT / "build" / "demo-repeat"
RUN_LIMIT_S = 300
BUSY_LOOPS = 2


@contextmanager
def busy_loop() -> Iterator[None]:
    """Keeps one core busy for the length of the block."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as loop:
        try:
            yield
        finally:
            loop.kill()


def failure_of_run(log: Path) -> str | None:
    """Plays the story once; why it failed, or None if it did not."""
    command = [sys.executable, "-m", "demo.run", "--auto"]
    with log.open("wb") as output:
        run = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        try:
            if run.wait(RUN_LIMIT_S) == 0:
                return None
        except subprocess.TimeoutExpired:
            return f"not over after {RUN_LIMIT_S} s"
        finally:
            kill(tree(run.pid))
            run.wait()
    told = [line for line in log.read_text(errors="replace").split("\n") if "FAILED" in line]
    return told[-1].strip() if told else f"exit code {run.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Counts the runs of the demo that succeed.")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--load", action="store_true", help=f"beside {BUSY_LOOPS} busy loops")
    options = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    succeeded = 0
    with ExitStack() as load:
        for _ in range(BUSY_LOOPS if options.load else 0):
            load.enter_context(busy_loop())
        for number in range(1, options.runs + 1):
            log, began = LOGS / f"run-{number}.log", time.monotonic()
            failure = failure_of_run(log)
            succeeded += failure is None
            outcome = "succeeded" if failure is None else f"failed: {failure}"
            told = "" if failure is None else f" (see {log.relative_to(ROOT)})"
            print(f"run {number}: {outcome}{told}, {time.monotonic() - began:.0f} s", flush=True)
    beside = f" beside {BUSY_LOOPS} busy loops" if options.load else ""
    print(f"{succeeded} of {options.runs} runs succeeded{beside}")
    return 0 if succeeded == options.runs else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
