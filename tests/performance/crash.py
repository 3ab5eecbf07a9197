"""`make crash-test`: SIGKILL at random moments of durable publishing, of the audit log, and of the
backend and Electron amid running apps.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

import anyio

from tests.integration.persistence.durability_under_kill import CrashTest, LossError
from tests.performance.survival import survive
from tests.unit.audit.kills import Killer


async def run(rounds: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        crashes = CrashTest(Path(folder) / "data", random.Random(seed))
        acknowledged = stored = 0
        for number in range(1, rounds + 1):
            try:
                outcome = await crashes.round()
            except LossError as loss:
                print(f"round {number}, seed {seed}: {loss}")
                return 1
            acknowledged += outcome.acknowledged
            stored = outcome.stored
            if number % 10 == 0 or number == rounds:
                print(
                    f"{number} kills: {acknowledged:,} acknowledged, all there; {stored:,} stored"
                )
    return 0


def kill_the_audit_log(rounds: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        killer = Killer(Path(folder) / "audit", seed)
        unclean = 0
        for number in range(1, rounds + 1):
            left = killer.round()
            lost = left.committed - left.found
            if left.verdict == "TAMPERED" or left.set_aside or lost:
                print(f"round {number}, seed {seed}: {left.verdict} {left.reason}, {lost} lost")
                return 1
            unclean += left.verdict == "UNCLEAN TAIL"
            if number % 10 == 0 or number == rounds:
                words = f"{left.committed:,} audit records committed, all there"
                print(f"{number} kills: {words}; {unclean} unclean ends, none taken for tampering")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.performance.crash")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--audit-rounds", type=int, default=100)
    parser.add_argument("--app-rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    return (
        anyio.run(run, options.rounds, options.seed)
        or kill_the_audit_log(options.audit_rounds, options.seed)
        or anyio.run(survive, options.app_rounds, options.seed)
    )


if __name__ == "__main__":
    sys.exit(main())
