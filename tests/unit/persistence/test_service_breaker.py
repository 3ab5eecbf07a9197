"""A disk that keeps failing is left alone for a while."""

import errno
from pathlib import Path

import pytest

from deskbus.persistence.service import MessagePersistence
from tests.unit.persistence.rig import NOW_MS, Disk, Timers, numbered


@pytest.mark.requirement("6.1")
async def test_the_breaker_opens_with_the_fifth_failed_write_and_closes_with_the_third_good_one(
    tmp_path: Path, anyio_backend: str
) -> None:
    timers, disk = Timers(), Disk()
    persistence = MessagePersistence(
        tmp_path,
        clock_ms=lambda: NOW_MS,
        monotonic_s=timers.monotonic_s,
        call_later=timers.call_later,
        files=disk,
    )
    await persistence.start()
    states = []
    disk.failing["write"] = errno.EIO
    for each in numbered("a", 1, 5):
        persistence.append(*each)
        assert not await persistence.flush()
        states.append(persistence.breaker.state)
    assert states == ["closed"] * 4 + ["open"]

    disk.failing.clear()
    timers.now_s += 30
    states = []
    for each in numbered("a", 6, 8):
        persistence.append(*each)
        assert await persistence.flush()
        states.append(persistence.breaker.state)
    assert states == ["half-open", "half-open", "closed"]
    await persistence.close()
