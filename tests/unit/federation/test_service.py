"""The place that is saved, and health, over connections that come and go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from deskbus.config import FederationConfig
from deskbus.federation.federated_message import pack
from deskbus.federation.nats_port import Delivery, NatsPort, NatsPortError
from deskbus.federation.position_file import Position, PositionFile
from deskbus.federation.service import Federation
from deskbus.reliability.backoff import Backoff
from deskbus.reliability.loops import Loops
from deskbus.reliability.resource_shortage import ResourceShortage
from tests.unit.federation.fakes import NOW_MS, Desk, FakeLog, FakeWire


class Machine:
    """A federation over connections that a test hands out; without one there is no server."""

    def __init__(self, folder: Path, messages: FakeLog) -> None:
        self.wires: list[FakeWire] = []
        self.taken: list[str] = []
        self.tries = 0
        self.tried = anyio.Event()
        self.log = messages
        self.desk = Desk()
        self.federation = Federation(
            FederationConfig(name="desk-b", topics=["#"]),
            folder=folder,
            messages=messages,
            connect=self._connect,
            admit=lambda message: self._admit(message.id),
            is_sound=lambda _: True,
            clock_ms=lambda: NOW_MS,
            backoff=lambda: Backoff(chance=lambda: 1.0),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.federation.run)
            yield
            tasks.cancel_scope.cancel()

    async def until(self, status: str) -> None:
        with anyio.fail_after(20):
            while self.federation.health().status != status:
                await anyio.sleep(0.005)

    async def _connect(self) -> NatsPort:
        self.tries += 1
        self.tried.set()
        if not self.wires:
            raise NatsPortError("no server can be reached")
        return self.wires.pop(0)

    def _admit(self, message_id: str) -> bool:
        self.taken.append(message_id)
        self.log.lines.append(self.desk.foreign_line("orders.new", "desk-a", message_id))
        return False


def delivery(message_id: str, seq: int, number: int) -> Delivery:
    line = Desk().foreign_line("orders.new", "desk-a", message_id)
    parcel = pack(line.replace(b',"origin":"desk-a"', b""), "desk-a")
    assert parcel is not None
    return Delivery("deskbus.p.desk-a.orders.new", parcel.data, seq, number, f"r{number}")


async def saved(folder: Path, taken: int) -> Position:
    """The place in the file, once that much was taken."""
    with anyio.fail_after(20):
        while (place := PositionFile(folder).load(100)).taken != taken:
            await anyio.sleep(0.005)
    return place


@pytest.mark.requirement("6.1")
async def test_health_follows_the_connection(tmp_path: Path) -> None:
    machine, wire = Machine(tmp_path, FakeLog()), FakeWire()
    assert machine.federation.health().status == "degraded"
    async with machine.running():
        await machine.tried.wait()
        assert "no server can be reached" in str(machine.federation.health().detail)
        machine.wires = [wire, FakeWire()]
        await machine.until("ok")
        wire.closed.set()
        await machine.until("degraded")
        assert "the connection was lost" in str(machine.federation.health().detail)
        await machine.until("ok")
    assert machine.tries >= 3


async def test_after_a_fault_it_is_begun_anew_and_says_so_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskbus.reliability.loops.AGAIN_AFTER_S", 0)
    machine, load, faults = Machine(tmp_path, FakeLog()), PositionFile.load, [RuntimeError("odd")]
    machine.wires = [FakeWire()]

    def fail_once(self: PositionFile, end: int) -> Position:
        if faults:
            raise faults.pop()
        assert "is begun anew" in str(machine.federation.health().detail)
        return load(self, end)

    monkeypatch.setattr(PositionFile, "load", fail_once)
    async with Loops(ResourceShortage()).running(machine.federation.run):
        await machine.until("ok")
    assert faults == []


@pytest.mark.requirement("2.2")
async def test_two_crashes_in_a_row_bring_nothing_twice(tmp_path: Path) -> None:
    messages = FakeLog()
    for n in (1, 2, 3):
        messages.lines.append(Desk().foreign_line("orders.new", "desk-a", f"m{n}"))
    # The log has three messages of the stream, of which the file knew one before the crash.
    PositionFile(tmp_path).save(Position(stream="s1", taken=1, position=1))
    first = Machine(tmp_path, messages)
    first.wires = [FakeWire()]
    async with first.running():
        await first.until("ok")
    second = Machine(tmp_path, messages)
    wire = FakeWire()
    second.wires = [wire]
    async with second.running():
        await second.until("ok")
        assert wire.consumed_after == 1
        wire.deliver(delivery("m2", 2, 1))
        assert (await saved(tmp_path, 2)).position == 1
        wire.deliver(delivery("m3", 3, 2))
        assert (await saved(tmp_path, 3)).position == 3
        wire.deliver(delivery("m4", 4, 3))
        assert (await saved(tmp_path, 4)).position == 4
        await wire.until(lambda: wire.receipts[-1:] == ["r3"])
    assert (first.taken, second.taken) == ([], ["m4"])


@pytest.mark.requirement("6.1")
async def test_its_breaker_tells_of_an_outage_and_delays_no_attempt(tmp_path: Path) -> None:
    """Five failures open it; the attempts go on, and the first connection closes it at once."""
    machine = Machine(tmp_path, FakeLog())
    changes: list[str] = []
    machine.federation.breaker.changed.add(lambda breaker: changes.append(breaker.state))
    async with machine.running():
        with anyio.fail_after(20):
            for tries in range(1, 8):
                while machine.tries < tries:
                    machine.tried = anyio.Event()
                    await machine.tried.wait()
                machine.federation._wanted_now.set()
                if tries == 4:
                    assert changes == []
        breaker = machine.federation.breaker
        assert (breaker.state, breaker.openings, changes) == ("open", 1, ["open"])
        assert breaker.wait_s > 0
        machine.wires = [FakeWire()]
        machine.federation._wanted_now.set()
        await machine.until("ok")
        assert (breaker.state, breaker.failures, changes) == ("closed", 0, ["open", "closed"])
