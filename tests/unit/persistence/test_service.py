"""MessagePersistence: when it writes, what it promises, and what can be read."""

import asyncio

import pytest

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence import service as persistence_module
from deskbus.persistence.service import BATCH_BYTES, BATCH_MESSAGES, CLEAN_UP_EVERY_S, SYNC_AFTER_S
from tests.unit.persistence.rig import NOW_MS, message, numbered, seqs
from tests.unit.persistence.service import Gate, Rig


@pytest.mark.requirement("2.1")
async def test_a_message_that_nobody_waits_for_is_synced_within_a_second(rig: Rig) -> None:
    rig.append(1, 1)
    rig.timers.advance(0.5)
    rig.append(2, 2)
    await rig.written()
    assert rig.batches == 0
    rig.timers.advance(SYNC_AFTER_S - 0.5)
    await rig.written()
    assert (rig.batches, rig.syncs) == (1, 1)
    rig.timers.advance(10)
    await rig.written()
    assert (rig.batches, rig.syncs) == (1, 1)
    assert SYNC_AFTER_S < 1


@pytest.mark.requirement("2.1")
async def test_a_hundred_messages_are_written_at_once_and_synced_in_time(rig: Rig) -> None:
    rig.append(1, BATCH_MESSAGES - 1)
    await rig.written()
    assert rig.batches == 0
    rig.append(BATCH_MESSAGES, BATCH_MESSAGES)
    await rig.written()
    assert (rig.batches, rig.syncs) == (1, 0)
    rig.timers.advance(SYNC_AFTER_S)
    await rig.written()
    assert (rig.batches, rig.syncs) == (1, 1)


async def test_a_quarter_of_a_mebibyte_is_written_at_once(rig: Rig) -> None:
    rig.append(1, 2, payload=b'"%b"' % (b"x" * (BATCH_BYTES // 2)))
    await rig.written()
    assert rig.batches == 1


@pytest.mark.requirement("2.1")
async def test_who_waits_is_told_after_the_sync_and_all_of_a_turn_share_it(rig: Rig) -> None:
    told: list[tuple[int, bool, int]] = []

    def tell(seq: int) -> None:
        rig.persistence.when_durable(lambda ok: told.append((seq, ok, rig.syncs)))

    for seq in range(1, 51):
        rig.append(seq, seq)
        tell(seq)
    assert told == []
    assert await rig.durable()
    assert told == [(seq, True, 1) for seq in range(1, 51)]
    assert (rig.batches, rig.syncs) == (1, 1)


async def test_who_waits_for_nothing_is_told_without_touching_the_disk(rig: Rig) -> None:
    assert await rig.durable()
    rig.append(1, 1)
    assert await rig.durable()
    assert await rig.durable()
    assert (rig.batches, rig.syncs) == (1, 1)


async def test_what_arrives_during_a_flight_goes_with_the_next_as_one(rig: Rig) -> None:
    gate = rig.disk.before = Gate("sync")
    told: list[str] = []
    rig.append(1, 1)
    rig.persistence.when_durable(lambda ok: told.append(f"first {ok}"))
    await asyncio.to_thread(gate.reached.wait, 10)
    # Covered by the sync that is under way.
    rig.persistence.when_durable(lambda ok: told.append(f"same {ok}"))
    for seq in range(2, 12):
        rig.append(seq, seq)
        rig.persistence.when_durable(lambda ok: told.append(f"next {ok}"))
    gate.open.set()
    assert await rig.durable()
    assert told == ["first True", "same True"] + ["next True"] * 10
    assert (rig.batches, rig.syncs) == (2, 2)


async def test_what_arrived_during_a_flight_is_synced_a_second_after_it_arrived(rig: Rig) -> None:
    gate = rig.disk.before = Gate("sync")
    rig.append(1, 1)
    rig.persistence.when_durable(lambda ok: None)
    await asyncio.to_thread(gate.reached.wait, 10)
    rig.append(2, 2)
    rig.timers.advance(0.6)
    gate.open.set()
    await rig.written()
    assert rig.syncs == 1
    rig.timers.advance(SYNC_AFTER_S - 0.6)
    await rig.written()
    assert rig.syncs == 2


async def test_a_callback_that_fails_does_not_keep_the_others_from_being_told(rig: Rig) -> None:
    def fail(ok: bool) -> None:
        raise ValueError(ok)

    rig.append(1, 1)
    rig.persistence.when_durable(fail)
    assert await rig.durable()


@pytest.mark.requirement("2.2")
async def test_reading_gives_what_is_on_disk_and_in_memory_in_order(rig: Rig) -> None:
    rig.append(1, 300)
    assert await rig.durable()
    gate = rig.disk.before = Gate("write")
    rig.append(301, 500)
    await asyncio.sleep(0)
    await asyncio.to_thread(gate.reached.wait, 10)
    rig.append(501, 510)
    blocks = [block async for block in rig.persistence.read(LogQuery())]
    assert seqs(b"".join(block.lines for block in blocks)) == list(range(1, 511))
    assert blocks[-1].next_position == rig.persistence.position == 510
    assert await rig.read(LogQuery(from_position=295, limit=10)) == list(range(296, 306))
    assert await rig.read(LogQuery(from_position=450, to_position=505)) == list(range(451, 506))
    assert await rig.read(LogQuery(limit=505)) == list(range(1, 506))
    assert await rig.read(LogQuery(wants="b".__eq__)) == []
    gate.open.set()


@pytest.mark.requirement("2.2")
async def test_a_reader_hands_over_to_live_delivery_without_gap_or_duplicate(rig: Rig) -> None:
    rig.append(1, 1000)
    live: list[int] = []
    found: list[int] = []
    position = 0
    at = rig.persistence.position
    sent = 1000
    async for block in rig.persistence.read(LogQuery(to_position=at)):
        found += seqs(block.lines)
        position = block.next_position
        sent += 1
        rig.append(sent, sent)
        live.append(sent)
    assert position == at
    assert found + live == list(range(1, sent + 1))


async def test_a_reading_that_is_given_up_leaves_nothing_behind(rig: Rig) -> None:
    rig.append(1, 2000)
    assert await rig.persistence.flush()
    blocks = rig.persistence.read(LogQuery())
    async for _ in blocks:
        break
    await blocks.aclose()  # type: ignore[attr-defined]
    assert len(await rig.read()) == 2000


@pytest.mark.requirement("2.2")
async def test_messages_topics_and_positions_outlive_a_restart(rig: Rig) -> None:
    rig.append(1, 5)
    rig.append(1, 2, topic="b")
    await rig.restart()
    assert rig.persistence.last_seqs() == {"a": 5, "b": 2}
    assert (rig.persistence.position, rig.persistence.forgotten_seq) == (7, 0)
    rig.append(6, 6)
    assert await rig.read() == [1, 2, 3, 4, 5, 1, 2, 6]


async def test_what_came_before_the_start_is_kept_after_what_was_there(rig: Rig) -> None:
    rig.append(1, 5)
    await rig.persistence.close()
    rig.make()
    rig.append(6, 8)
    await rig.persistence.start()
    assert rig.persistence.position == 8
    assert await rig.durable()
    assert await rig.read() == list(range(1, 9))


async def test_a_line_that_is_too_long_is_left_out_and_counted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence_module, "MAX_LINE_BYTES", BATCH_BYTES)
    rig.append(1, 1)
    rig.append(2, 2, payload=b'"%b"' % (b"x" * BATCH_BYTES))
    rig.append(3, 3)
    assert await rig.durable()
    assert await rig.read() == [1, 3]
    assert rig.persistence.statistics().dropped == 1


async def test_closing_writes_what_is_left(rig: Rig) -> None:
    rig.append(1, 3)
    await rig.persistence.close()
    assert not await rig.durable()
    rig.make()
    await rig.persistence.start()
    assert await rig.read() == [1, 2, 3]


async def test_old_segments_are_looked_for_every_hour(rig: Rig) -> None:
    assert rig.timers.delays_of(rig.persistence._clean_up) == [CLEAN_UP_EVERY_S]
    looked = asyncio.Event()
    rig.persistence._log.retain = looked.set  # type: ignore[method-assign]
    rig.timers.advance(CLEAN_UP_EVERY_S)
    await rig.persistence._worker.run(lambda: None)
    assert looked.is_set()
    assert rig.timers.delays_of(rig.persistence._clean_up) == [CLEAN_UP_EVERY_S]


async def test_a_compressed_log_reads_the_same(rig: Rig) -> None:
    await rig.persistence.close()
    rig.make(compress=True)
    await rig.persistence.start()
    rig.append(1, 300)
    assert await rig.persistence.flush()
    size = rig.persistence.statistics().log.size_bytes
    assert size < sum(len(each.line) for each in numbered("a", 1, 300)) / 4
    assert await rig.read() == list(range(1, 301))
    assert await rig.read(LogQuery(from_ms=NOW_MS + 1)) == []
    rig.persistence.append(*message("b", 1, NOW_MS + 1))
    assert await rig.read(LogQuery(from_ms=NOW_MS + 1)) == [1]


@pytest.mark.parametrize("payload_bytes", [10, 20_000, BATCH_BYTES + 1])
async def test_messages_of_one_topic_at_once_are_kept_as_if_one_by_one(
    rig: Rig, payload_bytes: int
) -> None:
    rig.append(1, 3)
    count = 200 if payload_bytes < BATCH_BYTES else 3
    payload = b'"%b"' % (b"x" * payload_bytes)
    lines = [each.line for each in numbered("a", 4, 3 + count, payload=payload)]
    rig.persistence.extend("a", 4, NOW_MS, lines)
    rig.append(4 + count, 5 + count)
    assert rig.persistence.position == 5 + count
    assert rig.persistence._pending.size_bytes < 2 * BATCH_BYTES + 1
    assert await rig.durable()
    assert await rig.read(LogQuery()) == list(range(1, 6 + count))
