"""MessagePersistence on a disk that is full, slow, broken or silent."""

import asyncio
import errno

import pytest

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence import service as persistence_module
from deskbus.persistence.commit import backlog as backlog_module
from deskbus.persistence.service import STALLED_AFTER_S
from deskbus.persistence.state import PersistenceState
from tests.unit.persistence.service import Gate, Rig


@pytest.mark.requirement("2.4")
@pytest.mark.parametrize(
    ("operation", "error", "detail"),
    [
        ("write", errno.ENOSPC, "the disk is full; 3 messages wait in memory"),
        ("create", errno.EROFS, "the disk is read-only; 3 messages wait in memory"),
        ("sync", errno.EIO, "the disk reports errors; 3 messages wait in memory"),
    ],
)
async def test_a_sick_disk_is_told_and_loses_nothing_when_it_recovers(
    rig: Rig, operation: str, error: int, detail: str
) -> None:
    rig.disk.failing[operation] = error
    rig.append(1, 3)
    assert not await rig.durable()
    assert rig.persistence.state.status == "degraded"
    assert rig.persistence.state.detail == detail
    rig.append(4, 4)
    # Nobody is kept waiting while the disk is sick.
    assert not await rig.durable()
    assert await rig.read() == [1, 2, 3, 4]
    rig.disk.failing.clear()
    rig.timers.advance(1)
    await rig.written()
    assert rig.persistence.state == PersistenceState("ok")
    rig.append(5, 5)
    assert await rig.durable()
    assert rig.persistence.statistics().held == 0
    await rig.restart()
    assert await rig.read() == [1, 2, 3, 4, 5]


@pytest.mark.requirement("2.4")
async def test_retries_back_off_to_half_a_minute_and_start_again_when_it_is_well(rig: Rig) -> None:
    rig.disk.failing["write"] = errno.EIO
    delays = []
    rig.append(1, 1)
    assert not await rig.durable()
    for _ in range(8):
        (delay_s,) = rig.timers.delays_of(rig.persistence._retry)
        delays.append(delay_s)
        rig.timers.advance(delay_s)
        await rig.written()
    assert delays == [1, 2, 4, 8, 30, 30, 30, 30]
    rig.disk.failing.clear()
    rig.timers.advance(30)
    await rig.written()
    assert rig.persistence.state == PersistenceState("ok")
    for number in (2, 3):
        rig.append(number, number)
        assert await rig.durable()
    rig.disk.failing["write"] = errno.EIO
    rig.append(4, 4)
    assert not await rig.durable()
    assert rig.timers.delays_of(rig.persistence._retry) == [1]
    rig.disk.failing.clear()
    assert await rig.persistence.flush()
    assert await rig.read() == [1, 2, 3, 4]


@pytest.mark.requirement("2.4")
async def test_memory_is_bounded_while_the_disk_is_full_and_losses_are_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence_module, "BATCH_BYTES", 2_000)
    monkeypatch.setattr(backlog_module, "MAX_HELD_BYTES", 20_000)
    rig.disk.failing["write"] = errno.ENOSPC
    rig.append(1, 10)
    assert not await rig.durable()
    rig.append(11, 500)
    statistics = rig.persistence.statistics()
    assert statistics.held_bytes <= 22_000
    assert statistics.held + statistics.dropped == 500
    assert rig.persistence.state.detail == (
        f"the disk is full; {statistics.held} messages wait in memory; "
        f"{statistics.dropped} are lost"
    )
    rig.disk.failing.clear()
    assert await rig.persistence.flush()
    left = await rig.read()
    assert left == list(range(statistics.dropped + 1, 501))
    assert rig.persistence.position == 500
    assert await rig.read(LogQuery(from_position=499)) == [500]


@pytest.mark.requirement("2.4")
async def test_a_disk_that_does_not_answer_keeps_nobody_waiting(rig: Rig) -> None:
    gate = rig.disk.before = Gate("sync")
    told: list[bool] = []
    rig.append(1, 1)
    rig.persistence.when_durable(told.append)
    await asyncio.to_thread(gate.reached.wait, 10)
    rig.append(2, 2)
    rig.persistence.when_durable(told.append)
    rig.timers.advance(STALLED_AFTER_S)
    assert told == [False, False]
    assert rig.persistence.state.detail.startswith("the disk does not answer")
    assert not await rig.durable()
    gate.open.set()
    await rig.written()
    assert rig.persistence.state == PersistenceState("ok")
    assert await rig.durable()


@pytest.mark.requirement("2.4")
async def test_a_disk_that_is_too_slow_loses_the_oldest_and_says_so(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence_module, "BATCH_BYTES", 2_000)
    monkeypatch.setattr(backlog_module, "MAX_HELD_BYTES", 20_000)
    gate = rig.disk.before = Gate("write")
    rig.append(1, 100)
    await asyncio.sleep(0)
    await asyncio.to_thread(gate.reached.wait, 10)
    rig.append(101, 600)
    assert rig.persistence.state.detail.startswith("the disk is too slow")
    dropped = rig.persistence.statistics().dropped
    gate.open.set()
    assert not await rig.durable()
    await rig.written()
    assert rig.persistence.state == PersistenceState("ok")
    assert await rig.persistence.flush()
    assert len(await rig.read()) == 600 - dropped


@pytest.mark.requirement("2.4")
async def test_a_start_that_fails_is_tried_again(rig: Rig) -> None:
    rig.append(1, 3)
    await rig.persistence.close()
    rig.disk.failing["make_folder"] = errno.EROFS
    rig.make()
    await rig.persistence.start()
    assert rig.persistence.state.status == "degraded"
    rig.append(4, 5)
    assert not await rig.durable()
    assert await rig.read() == [4, 5]
    rig.disk.failing.clear()
    rig.timers.advance(1)
    await rig.written()
    assert rig.persistence.state == PersistenceState("ok")
    assert rig.persistence.position == 5
    assert await rig.read() == [1, 2, 3, 4, 5]
    assert rig.persistence.last_seqs() == {"a": 5}


async def test_closing_gives_up_on_a_disk_that_hangs(rig: Rig) -> None:
    gate = rig.disk.before = Gate("sync")
    told: list[bool] = []
    rig.append(1, 3)
    rig.persistence.when_durable(told.append)
    await rig.persistence.close(within_s=0)
    assert told == [False]
    gate.open.set()
    await rig.persistence.close()
