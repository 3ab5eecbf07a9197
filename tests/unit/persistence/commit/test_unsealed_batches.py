"""Sensitive messages that can't be encrypted: what becomes of them, and that no other waits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from anyio import fail_after
from structlog.testing import capture_logs

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.batch_sealer import Readiness, SealingError, WithoutVault
from deskbus.persistence.commit import unsealed_batches
from deskbus.persistence.service import MessagePersistence
from deskbus_protocol.errors import DeskbusError
from tests.unit.persistence.rig import NOW_MS, Timers, message, opened, seqs

pytestmark = pytest.mark.requirement("2.1")


class Keys:
    """Keys that are there or not; what it seals is told by its first byte."""

    def __init__(self, readiness: Readiness) -> None:
        self.readiness = readiness

    @property
    def why(self) -> str:
        return "" if self.readiness == "ready" else "the vault is locked: test"

    def covers(self, topics: Iterable[str]) -> bool:
        return any(topic.startswith("own") for topic in topics)

    def look(self) -> None: ...

    def open(self) -> None:
        if self.readiness != "ready":
            raise SealingError(self.why)

    def seal(self, body: bytes, first_position: int) -> bytes:
        self.open()
        return b"%d:" % first_position + bytes(byte ^ 255 for byte in body)

    def unseal(self, body: bytes, first_position: int) -> bytes:
        position, _, rest = body.partition(b":")
        assert int(position) == first_position
        return bytes(byte ^ 255 for byte in rest)


class Bench:
    def __init__(self, folder: Path, readiness: Readiness, policy: WithoutVault) -> None:
        self.keys = Keys(readiness)
        self.folder = folder
        self.timers = Timers()
        self.persistence = MessagePersistence(
            folder,
            sealer=self.keys,
            without_vault=policy,
            clock_ms=lambda: NOW_MS,
            monotonic_s=self.timers.monotonic_s,
            call_later=self.timers.call_later,
        )

    def publish(self, topic: str, first: int, last: int) -> None:
        for seq in range(first, last + 1):
            if self.persistence.is_sensitive(topic):
                self.persistence.admit(topic)
            self.persistence.append(*message(topic, seq))

    async def durable(self, topic: str | None = None) -> bool:
        told = asyncio.get_running_loop().create_future()
        self.persistence.when_durable(told.set_result, topic)
        with fail_after(10):
            return bool(await told)

    async def replayed(self, **query: object) -> list[int]:
        found = [block.lines async for block in self.persistence.read(LogQuery(**query))]  # type: ignore[arg-type]
        return seqs(b"".join(found))

    def on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.folder.glob("*.seg"))


@pytest.fixture
async def bench(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path / "log", "locked", "memory")
    await bench.persistence.start()
    yield bench
    await bench.persistence.close()


async def test_one_sensitive_message_holds_no_other_back(bench: Bench) -> None:
    bench.publish("own.a", 1, 1)
    bench.publish("t", 2, 4)
    assert await bench.durable("t")
    assert bench.on_disk().count(b"bus.message") == 3
    bench.publish("t", 5, 5)
    assert await bench.durable("t")
    assert not await bench.durable("own.a")
    state = bench.persistence.state
    assert "1 message of 1 topic wait in memory" in state.detail


async def test_waiting_messages_are_written_in_their_order_once_the_vault_is_open(
    bench: Bench,
) -> None:
    bench.publish("own.a", 1, 2)
    bench.publish("t", 100, 101)
    bench.publish("own.b", 3, 3)
    assert await bench.durable("t")
    assert sorted(await bench.replayed()) == [1, 2, 3, 100, 101]
    bench.keys.readiness = "ready"
    bench.persistence.vault_changed()
    bench.publish("own.a", 4, 4)
    assert await bench.durable("own.a")
    assert bench.persistence.state.status == "ok"
    found = await bench.replayed()
    assert [seq for seq in found if seq < 100] == [1, 2, 3, 4]
    assert sorted(found) == [1, 2, 3, 4, 100, 101]
    await bench.persistence.close()
    log = opened(bench.folder, sealer=bench.keys)
    assert sorted(seqs(b"".join(b.lines for b in log.read(LogQuery())))) == sorted(found)
    assert log.last_seqs() == {"own.a": 4, "own.b": 3, "t": 101}
    assert log.position == 6
    log.close()


async def test_a_reading_has_each_message_once_though_it_is_written_meanwhile(
    bench: Bench,
) -> None:
    bench.publish("own.a", 1, 2)
    bench.publish("t", 100, 101)
    assert await bench.durable("t")
    reading = bench.persistence.read(LogQuery())
    may_read = threading.Event()
    with ThreadPoolExecutor(1) as readers:
        asyncio.get_running_loop().set_default_executor(readers)
        readers.submit(may_read.wait)
        begun = asyncio.ensure_future(anext(reading))
        await asyncio.sleep(0)
        # It has seen what waits in memory, and has read nothing of the disk.
        bench.keys.readiness = "ready"
        bench.persistence.vault_changed()
        assert await bench.durable("own.a")
        may_read.set()
        found = [(await begun).lines]
        found += [block.lines async for block in reading]
    # The loop is the other tests' too.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
    assert sorted(seqs(b"".join(found))) == [1, 2, 100, 101]


async def test_a_range_of_positions_holds_the_same_messages_before_and_after(
    bench: Bench,
) -> None:
    bench.publish("own.a", 1, 2)
    bench.publish("t", 100, 101)
    middle = bench.persistence.position
    bench.publish("own.a", 3, 3)
    bench.publish("t", 102, 102)
    assert await bench.durable("t")
    before = await bench.replayed(to_position=middle), await bench.replayed(from_position=middle)
    bench.keys.readiness = "ready"
    bench.persistence.vault_changed()
    assert await bench.durable("own.a")
    after = await bench.replayed(to_position=middle), await bench.replayed(from_position=middle)
    assert [sorted(part) for part in before] == [sorted(part) for part in after]
    assert sorted(after[0]) == [1, 2, 100, 101]


async def test_a_vault_that_locks_while_it_is_used_costs_nothing(bench: Bench) -> None:
    bench.keys.readiness = "ready"
    bench.publish("own.a", 1, 1)
    assert await bench.durable("own.a")
    bench.publish("own.a", 2, 2)
    bench.publish("t", 100, 100)
    bench.persistence._close_pending()
    bench.keys.readiness = "locked"
    assert await bench.durable("t")
    assert not await bench.durable("own.a")
    assert sorted(await bench.replayed(from_seq=100)) == [100]
    bench.keys.readiness = "ready"
    bench.persistence.vault_changed()
    assert await bench.durable("own.a")
    assert sorted(await bench.replayed()) == [1, 2, 100]


async def test_what_waits_is_bounded_and_more_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsealed_batches, "MAX_UNSEALED_MESSAGES", 5)
    bench.publish("own.a", 1, 5)
    with pytest.raises(DeskbusError, match="Too many") as refused:
        bench.publish("own.a", 6, 6)
    assert refused.value.kind.name == "unavailable"
    bench.publish("t", 1, 1)
    assert await bench.durable("t")
    assert bench.persistence.statistics().unsealed == 5


async def test_what_is_lost_at_the_end_is_told_by_topic_and_its_positions_are_not_given_again(
    bench: Bench,
) -> None:
    bench.publish("t", 1, 1)
    bench.publish("own.a", 1, 3)
    bench.publish("own.b", 1, 1)
    end = bench.persistence.position
    with capture_logs() as logs:
        await bench.persistence.close()
    lost = next(entry for entry in logs if entry["event"] == "persistence.sensitive_lost")
    assert (lost["messages"], lost["topics"]) == (4, {"own.a": 3, "own.b": 1})
    log = opened(bench.folder)
    assert (log.position, log.statistics().messages) == (end, 1)
    log.close()


@pytest.mark.parametrize("readiness", ["locked", "none"])
async def test_by_default_what_cannot_be_encrypted_is_refused(
    readiness: Readiness, tmp_path: Path, anyio_backend: str
) -> None:
    bench = Bench(tmp_path / "log", readiness, "refuse")
    with capture_logs() as logs:
        await bench.persistence.start()
        with pytest.raises(DeskbusError) as refused:
            bench.publish("own.a", 1, 1)
        with pytest.raises(DeskbusError):
            bench.persistence.check_durable("own.a")
    assert refused.value.kind.name == "unavailable"
    assert any(entry["event"] == "persistence.sensitive_topics" for entry in logs)
    assert "new ones are refused" in bench.persistence.state.detail
    bench.publish("t", 1, 1)
    assert await bench.durable("t")
    bench.keys.readiness = "ready"
    bench.publish("own.a", 1, 1)
    assert await bench.durable("own.a")
    await bench.persistence.close()


async def test_messages_of_another_machine_wait_for_a_locked_vault(
    tmp_path: Path, anyio_backend: str
) -> None:
    bench = Bench(tmp_path / "log", "locked", "refuse")
    await bench.persistence.start()
    assert bench.persistence.admit("own.a", remote=True)
    bench.persistence.append(*message("own.a", 1))
    bench.persistence._close_pending()
    assert bench.persistence.waits("own.a")
    bench.keys.readiness = "none"
    with pytest.raises(DeskbusError):
        bench.persistence.admit("own.a", remote=True)
    await bench.persistence.close()
