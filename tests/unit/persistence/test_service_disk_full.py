"""A disk that really fills, and is emptied again."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.service import MessagePersistence
from deskbus.persistence.state import PersistenceState
from tests.unit.persistence.rig import NOW_MS, Timers, numbered, seqs

DISK_BYTES = 256 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(tmp_path)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.fixture
async def persistence(small_disk: Path) -> AsyncIterator[MessagePersistence]:
    timers = Timers()
    persistence = MessagePersistence(
        small_disk / "log", clock_ms=lambda: NOW_MS, call_later=timers.call_later
    )
    await persistence.start()
    yield persistence
    await persistence.close()


@pytest.mark.requirement("2.4")
async def test_a_full_disk_loses_nothing_once_there_is_room_again(
    small_disk: Path, persistence: MessagePersistence
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES // 2))
    acknowledged = sent = 0
    while persistence.state == PersistenceState("ok"):
        for each in numbered("a", sent + 1, sent + 50):
            persistence.append(*each)
        sent += 50
        if await persistence.flush():
            acknowledged = sent
    assert 0 < acknowledged < sent
    assert persistence.state.detail == "the disk is full; 50 messages wait in memory"
    blocks = [block.lines async for block in persistence.read(LogQuery())]
    assert seqs(b"".join(blocks)) == list(range(1, sent + 1))

    ballast.unlink()
    assert await persistence.flush()
    assert persistence.state == PersistenceState("ok")
    await persistence.close()

    again = MessagePersistence(small_disk / "log", clock_ms=lambda: NOW_MS)
    await again.start()
    blocks = [block.lines async for block in again.read(LogQuery())]
    assert seqs(b"".join(blocks)) == list(range(1, sent + 1))
    assert again.statistics().log.findings == 0
    await again.close()
