"""The log alone, killed at random moments: what it acknowledged is there."""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deskbus.persistence.service import MessagePersistence
from tests.unit.persistence.rig import NOW_MS, message, opened, read, seqs

ROUNDS = 10
AT_ONCE = 20


async def publish(folder: Path) -> None:
    """Appends without end, and prints each seq when it is durable."""
    persistence = MessagePersistence(folder, clock_ms=lambda: NOW_MS)
    await persistence.start()
    seq = persistence.last_seqs().get("a", 0)
    ended = asyncio.Event()

    def send() -> None:
        nonlocal seq
        seq += 1
        sent = seq
        persistence.append(*message("a", sent))
        persistence.when_durable(lambda ok: acknowledge(sent) if ok else ended.set())

    def acknowledge(sent: int) -> None:
        sys.stdout.write(f"{sent}\n")
        sys.stdout.flush()
        send()

    for _ in range(AT_ONCE):
        send()
    await ended.wait()


def run_and_kill(folder: Path, after: int) -> int:
    """The last seq that a publisher acknowledged; it is killed after `after` lines."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.unit.persistence.test_service_crash", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(after)]
        process.kill()
        said += process.stdout.read().splitlines(keepends=True)
    assert process.returncode == -signal.SIGKILL
    return int(next(line for line in reversed(said) if line.endswith("\n")))


@pytest.mark.slow
@pytest.mark.requirement("2.1")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    dice = random.Random(2)
    for _ in range(ROUNDS):
        acknowledged = run_and_kill(tmp_path, after=dice.randrange(1, 400))
        log = opened(tmp_path)
        found = seqs(read(log))
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= acknowledged
        assert log.verify() == []
        log.close()


if __name__ == "__main__":
    asyncio.run(publish(Path(sys.argv[1])))
