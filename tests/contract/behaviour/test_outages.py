"""Histories of two clients, a backend that is killed now and then, and links that break.

Links delay what they carry, and break at any frame: in the middle of an opening, a resumption, a
replay. However that goes: no client loses a message in silence, gets one twice unmarked, or gets
one out of order. The clients are Python's own, but for their sockets.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import pytest
from anyio.streams.memory import MemoryObjectReceiveStream
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from deskbus.bus.encoded_message import origin
from deskbus_protocol.bus import MAX_REDELIVERIES, Mode
from deskbus_protocol.client import Message, SteadyClient
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.topics import matches
from tests.contract.behaviour.outages import Connection, Told
from tests.support.memory_bus import BusRun, MemoryLog

TOPICS = ("kept.a", "kept.b", "brief.a", "brief.b")
WISHES: dict[str, tuple[Mode, tuple[str, ...]]] = {
    "live": ("live", ("kept.#", "*.a")),
    "sure": ("acknowledged", ("kept.a", "#")),
}

HOUR_MS = 60 * 60 * 1000
DAY_MS = 24 * HOUR_MS

Id = tuple[str, str, int]
"""Topic, epoch and seq."""

pytestmark = [pytest.mark.requirement("6.3"), pytest.mark.requirement("2.2")]


def id_of(line: bytes) -> Id:
    read = origin(line)
    return read.topic, read.epoch, read.seq


class Reader:
    """One client, what it has subscribed to, and what has come."""

    def __init__(self, name: str, world: "Outages") -> None:
        self.who = ClientId(name, "main")
        self.mode, self.patterns = WISHES[name]
        self.client = SteadyClient("", name, self._ticket)
        self._told = Told()
        self.client.on_gap = self._told.add
        self.connection: Connection | None = None
        self.joined: dict[str, int] = {}
        self.seen: list[tuple[Id, bool]] = []
        self.unacknowledged: list[Message] = []
        self.owed: set[Id] = set()
        self.done: set[Id] = set()
        self._met: set[str] = set()
        self._world = world
        self._streams = AsyncExitStack()
        self._inbox: MemoryObjectReceiveStream[Message]

    async def begin(self) -> None:
        self._inbox = self._streams.enter_context(self.client._inbox.open("#", float("inf")))

    async def end(self) -> None:
        await self._streams.aclose()

    async def connect(self, lasts: int | None) -> None:
        run = self._world.run
        self.connection = Connection(self.who, run, self.client._inbox, lasts)
        try:
            await self.client._open(self.connection)  # type: ignore[arg-type]
            await self.client._go_on(self.connection)  # type: ignore[arg-type]
            for pattern in self.patterns:
                if pattern not in self.joined:
                    await self._subscribe(pattern)
        except DeskbusError:
            self.lose()
        self._met.add(self.client._progress.epoch)
        self.take()

    async def _subscribe(self, pattern: str) -> None:
        """Stays subscribed; its stream is not read, for the one of everything is."""
        subscription: AbstractAsyncContextManager[Any] = self.client.subscribe(
            pattern, mode=self.mode
        )
        await subscription.__aenter__()
        self.joined[pattern] = len(self._world.published)
        self._world.subscriptions.append(subscription)

    async def deliver(self, count: int) -> None:
        if self.connection is not None:
            try:
                await self.connection.deliver(count)
            except DeskbusError:
                self.lose()
            self.take()

    def lose(self) -> None:
        """The client sees that its connection is gone; the backend may see it later."""
        self.client._lose()
        self.connection = None

    def take(self) -> None:
        while self._inbox.statistics().current_buffer_used:
            message = self._inbox.receive_nowait()
            found = (message.topic, message.epoch, message.seq)
            self.seen.append((found, bool(message.redelivery)))
            self.unacknowledged.append(message)
            if (message.redelivery or 0) < MAX_REDELIVERIES:
                self.owed.add(found)
            else:
                self.done.add(found)

    def wants(self, index: int, topic: str) -> bool:
        """Whether a message was published while the client was subscribed to its topic."""
        return any(
            since <= index and matches(pattern, topic) for pattern, since in self.joined.items()
        )

    def accounts_for(self, message: Id) -> bool:
        topic, epoch, _ = message
        if any(message == found for found, _ in self.seen) or self._told.has(*message):
            return True
        if not topic.startswith("brief.") or epoch == self._world.run.epoch:
            return False
        # Nobody can tell of a topic that it was never heard of, nor of a run that it never met.
        known = any(found[0] == topic and found[1] <= epoch for found, _ in self.seen)
        return not known or epoch not in self._met

    async def _ticket(self) -> str:
        return "ticket"


class Outages(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.now = 1_000 * DAY_MS
        self.step_ms = 0
        self.log = MemoryLog()
        self.runs = 0
        self.published: list[Id] = []
        self.order: dict[Id, int] = {}
        self.lost: set[Id] = set()
        self.dead: set[tuple[ClientId, Id]] = set()
        self.subscriptions: list[AbstractAsyncContextManager[Any]] = []
        self.readers: dict[str, Reader] = {}
        try:
            self._start()
            for name in WISHES:
                self.readers[name] = Reader(name, self)
                self.loop.run(self.readers[name].begin())
                self.loop.run(self.readers[name].connect(None))
        except BaseException:
            # There is no `teardown` of what was not made; the loop would fail a later test.
            self._close()
            raise

    @rule(topic=st.sampled_from(TOPICS), count=st.integers(1, 4), durable=st.booleans())
    def publish(self, topic: str, count: int, durable: bool) -> None:
        for _ in range(count):
            self.now += 1
            message = self.run.publish(topic)
            self.order[message] = len(self.published)
            self.published.append(message)
        if durable:
            self.log.on_disk = self.log.position

    @rule(
        reader=st.sampled_from(list(WISHES)),
        lasts=st.none() | st.integers(0, 30),
        between=st.lists(st.sampled_from(TOPICS), max_size=3),
    )
    def come_back(self, reader: str, lasts: int | None, between: list[str]) -> None:
        """While the log is read for it others publish."""
        if self.readers[reader].connection is None:
            waiting = iter(between)

            def publish_next() -> None:
                if topic := next(waiting, None):
                    self.publish(topic, 1, durable=False)

            self.log.between = publish_next
            self.loop.run(self.readers[reader].connect(lasts))

    @rule(reader=st.sampled_from(list(WISHES)), count=st.sampled_from([1, 2, 5, 1000]))
    def let_arrive(self, reader: str, count: int) -> None:
        self.loop.run(self.readers[reader].deliver(count))

    @rule(reader=st.sampled_from(list(WISHES)), noticed=st.booleans())
    def cut(self, reader: str, noticed: bool) -> None:
        """All that is on its way is lost."""
        if self.readers[reader].connection is not None:
            self.readers[reader].lose()
            if noticed:
                self.notice(reader)

    @rule(reader=st.sampled_from(list(WISHES)))
    def notice(self, reader: str) -> None:
        """The backend sees that a client is gone."""
        if self.readers[reader].connection is None:
            self.run.bus.detach(self.readers[reader].who)

    @rule(count=st.integers(1, 5))
    def acknowledge(self, count: int) -> None:
        sure = self.readers["sure"]
        for message in sure.unacknowledged[:count]:
            if sure.connection is not None:
                self.loop.run(sure.client.acknowledge(message))
                sure.done.add((message.topic, message.epoch, message.seq))
        del sure.unacknowledged[:count]

    @rule(ms=st.sampled_from([100, 1100, 4100, 31_000]))
    def time_passes(self, ms: int) -> None:
        self.now += ms
        self.run.bus.tick()

    @rule(written=st.integers(0, 10), step_ms=st.sampled_from([0, -HOUR_MS, HOUR_MS, 40 * DAY_MS]))
    def kill_the_backend(self, written: int, step_ms: int) -> None:
        """Of what was not durable some may have got to the disk; the clock may be set meanwhile."""
        for reader in self.readers.values():
            if reader.connection is not None:
                reader.lose()
        self._note_the_dead()
        kept = self.log.on_disk = min(self.log.on_disk + written, self.log.position)
        gone = {(topic, self.run.epoch, seq) for topic, seq, _, _ in self.log.entries[kept:]}
        self.lost |= gone
        del self.log.entries[kept:]
        self.now += 50
        self.step_ms += step_ms
        self._start()

    @invariant()
    def what_comes_first_is_in_order_and_repeats_are_marked(self) -> None:
        for reader in self.readers.values():
            last: dict[str, int] = {}
            known = set()
            for message, repeated in reader.seen:
                if message in known:
                    assert repeated, f"{reader.who.app} got {message} twice"
                    continue
                known.add(message)
                assert last.get(message[0], -1) < self.order[message], (
                    f"{reader.who.app} got {message} out of order"
                )
                last[message[0]] = self.order[message]

    def teardown(self) -> None:
        try:
            self._nothing_is_lost_in_silence()
        finally:
            self._close()

    def _close(self) -> None:
        for reader in self.readers.values():
            self.loop.run(reader.end())
        self.subscriptions.clear()
        self.loop.close()

    def _nothing_is_lost_in_silence(self) -> None:
        """Once every link is whole again: arrived, told as a gap, or dead with a reason."""
        self.log.between = lambda: None
        for reader in self.readers.values():
            if reader.connection is not None:
                reader.lose()
            self.loop.run(reader.connect(None))
            self.loop.run(reader.deliver(100_000))
        self.what_comes_first_is_in_order_and_repeats_are_marked()
        self._note_the_dead()
        for reader in self.readers.values():
            for index, message in enumerate(self.published):
                buried = (reader.who, message) in self.dead
                if message in self.lost or buried or not reader.wants(index, message[0]):
                    continue
                assert reader.accounts_for(message), f"{reader.who.app} lost {message} in silence"
        self._what_was_not_acknowledged_comes_again()

    def _what_was_not_acknowledged_comes_again(self) -> None:
        """If the log has it, and it is not dead; whichever run of the backend sent it first."""
        sure = self.readers["sure"]
        waiting = self.run.bus.member(sure.who).window.take_all()
        pending = {id_of(pending.line) for pending in waiting}
        for message in sure.owed - sure.done - self.lost:
            if message[0].startswith("kept.") and (sure.who, message) not in self.dead:
                assert message in pending, f"{message} never came again"

    def _note_the_dead(self) -> None:
        """The letters of a run end with it."""
        letters = self.run.bus.dead_letters.take(None)
        self.dead |= {(letter.addressee, id_of(letter.line)) for letter in letters}

    def _start(self) -> None:
        self.runs += 1
        offset_ms = self.step_ms
        self.run = BusRun(self.runs, self.log, lambda: self.now + offset_ms)


TestOutages = Outages.TestCase
TestOutages.settings = settings(stateful_step_count=40)
