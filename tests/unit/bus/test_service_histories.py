"""Whole histories of the bus, thought up by hypothesis and held against a simple model.

Two writers; readers that read late or too slowly, by overlapping wildcards, that come, go, are cut
off with messages on their way, acknowledge or don't, lose permissions and get them again; a machine
that sleeps; a log that is replayed meanwhile. Nothing is lost in silence, nothing comes twice
unmarked, nothing comes out of order, and nothing reaches who may not read it.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import UNSET, Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.delivery import offline_queue as queue_module
from deskbus.bus.recovery.replay import Replays
from deskbus.bus.service import InterApplicationBus
from deskbus_protocol.bus import Mode, PublishParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.history import ReplayParams
from deskbus_protocol.reconnection import SESSION_GRACE_MS
from tests.support.bus_access import OpenAccess
from tests.support.memory_bus import MemoryLog
from tests.support.messages import read

LIVE, SURE = ClientId("live", "main"), ClientId("sure", "main")
PAST = ClientId("past", "main")
KEPT = "kept.a"
TOPICS = ("t.a", "t.b", KEPT)
PATTERNS: dict[ClientId, dict[str, Mode]] = {
    LIVE: {"#": "live", "t.*": "live", KEPT: "live"},
    SURE: {"t.*": "live", "#": "acknowledged", KEPT: "live"},
}
"""They overlap: the acknowledged one counts for a message, and it comes once."""

SMALL_QUEUE = 6
ROOM = 4
"""Messages that a slow reader's outbox holds."""

pytestmark = [pytest.mark.requirement("1.3"), pytest.mark.requirement("1.4")]


class Line:
    """A reader's connection; after it is cut nothing more can arrive.

    Between `stall` and `go_on` its peer is slow: a little waits, and the oldest of it gives way.
    """

    def __init__(self, may_get: Callable[[str], bool] = lambda _: True) -> None:
        self.slow = False
        self._may_get = may_get
        self._waiting: list[tuple[bytes, str | None, int]] = []
        self.got: list[dict[str, Any]] = []
        self.gaps: list[dict[str, Any]] = []
        self.on_dropped: Callable[[str, int], None] | None = None
        self.on_drained: Callable[[], None] | None = None

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        if self.slow:
            self._waiting.append((line, topic, seq))
            while sum(waiting[1] is not None for waiting in self._waiting) > ROOM:
                self._drop_oldest()
            return
        params = read(line)
        if "closed" in params:
            return
        assert "first" in params or self._may_get(params["topic"]), "read without permission"
        (self.gaps if "first" in params else self.got).append(params)

    def stall(self) -> None:
        self.slow = True

    def go_on(self) -> None:
        self.slow = False
        waiting, self._waiting = self._waiting, []
        if self.on_drained is not None:
            self.on_drained()
        for each in waiting:
            self.put(*each)

    def _drop_oldest(self) -> None:
        at = next(at for at, (_, topic, _) in enumerate(self._waiting) if topic is not None)
        _, topic, seq = self._waiting.pop(at)
        assert topic is not None
        if self.on_dropped is not None:
            self.on_dropped(topic, seq)

    def put_block(self, block: bytes) -> None:
        for line in block.splitlines(keepends=True):
            self.put(line, None, 0)

    def give_up(self) -> None:
        raise AssertionError("no reader loses more than can be told here")

    async def writable(self) -> None:
        await anyio.lowlevel.checkpoint()

    def withdraw(self, keeps: Callable[[bytes, str | None], bool]) -> None:
        """All that is not waiting has arrived."""
        self._waiting = [each for each in self._waiting if keeps(each[0], each[1])]


class BusHistories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000
        self.slept = 0
        self.epoch = 1
        self.permissions = OpenAccess()
        self.log = MemoryLog()
        self.log.now_ms = self._clock_ms
        self.bus = InterApplicationBus(
            MessageBroker("e1", self.permissions, self.log, clock_ms=self._clock_ms),
            self.permissions,
            on_gone=lambda _: None,
            awake_ms=lambda: self.now,
        )
        self.replays = Replays(self.bus, self.log)
        self.published: dict[str, list[int]] = defaultdict(list)
        self.seen: dict[ClientId, list[dict[str, Any]]] = {LIVE: [], SURE: []}
        self.told: list[dict[str, Any]] = []
        self.lines: dict[ClientId, Line] = {}
        self.unacknowledged: list[tuple[str, int]] = []
        self.joined_at: dict[tuple[ClientId, str], int] = {}

    @initialize()
    def begin(self) -> None:
        queue_module.MAX_MESSAGES = SMALL_QUEUE
        self.writers = []
        for name in ("one", "two"):
            self.bus.attach(ClientId(name, "main"), Line(), resume=False)
            self.writers.append(self.bus.member(ClientId(name, "main")).client)
        for reader in (LIVE, SURE):
            self._connect(reader, resume=False)

    def teardown(self) -> None:
        queue_module.MAX_MESSAGES = 10_000
        self._every_message_is_accounted_for()

    @rule(
        writer=st.integers(0, 1),
        topic=st.sampled_from(TOPICS),
        ttl=st.none() | st.integers(1, 3000),
        priority=st.none() | st.integers(0, 9),
    )
    def publish(self, writer: int, topic: str, ttl: int | None, priority: int | None) -> None:
        options = PublishParams(
            topic=topic,
            payload=Raw(b"1"),
            ttl=UNSET if ttl is None else ttl,
            priority=UNSET if priority is None else priority,
        )
        stamped = self.bus.broker.publish(self.writers[writer], topic, Raw(b"1"), options)
        self.published[topic].append(stamped.seq)
        for reader in (LIVE, SURE):
            if (reader.app, topic) in self.permissions.unreadable:
                self._excuse(reader, topic)

    @rule(ms=st.sampled_from([1, 100, 1000, 4000]))
    def time_passes(self, ms: int) -> None:
        self.now += ms
        self.bus.tick()

    @rule(ms=st.sampled_from([1, 2000, 3_600_000]))
    def sleep(self, ms: int) -> None:
        """The time of messages goes on, that of whoever is waited for does not."""
        self.slept += ms
        self.bus.tick()

    @rule()
    def read_what_came(self) -> None:
        self._collect()

    @rule(reader=st.sampled_from([LIVE, SURE]), is_slow=st.booleans())
    def read_slowly_or_not(self, reader: ClientId, *, is_slow: bool) -> None:
        line = self.lines.get(reader)
        if line is not None and line.slow != is_slow:
            line.stall() if is_slow else line.go_on()

    @rule(reader=st.sampled_from([LIVE, SURE]), topic=st.sampled_from(TOPICS))
    def lose_or_get_a_permission(self, reader: ClientId, topic: str) -> None:
        """Messages published until now and not read are owed no more, nor are those to come."""
        self._collect()
        self.permissions.unreadable ^= {(reader.app, topic)}
        self._excuse(reader, topic)
        self.epoch += 1
        self.bus.grants_changed(reader.app, self.epoch)
        self.unacknowledged = [
            each for each in self.unacknowledged if (SURE.app, each[0]) not in self._unreadable
        ]

    @rule(from_seq=st.integers(0, 30), during=st.lists(st.integers(0, 2), max_size=3))
    def replay(self, from_seq: int, during: list[int]) -> None:
        """Somebody else reads the log, in whose middle more is published, and goes on live."""
        line = Line()
        from_seq = min(from_seq, max(self.published[KEPT], default=0) + 1)
        self.bus.attach(PAST, line, resume=False)
        coming = iter(during)

        def publish_meanwhile() -> None:
            for _ in range(next(coming, 0)):
                self.publish(0, KEPT, None, None)

        self.log.between = publish_meanwhile
        params = ReplayParams(pattern=KEPT, from_seq=from_seq, follow=True)
        anyio.run(self.replays.replay, PAST, params)
        self.log.between = lambda: None
        self.publish(1, KEPT, None, None)
        got = [message["seq"] for message in line.got]
        assert got == [seq for seq in self.published[KEPT] if seq >= from_seq]
        self.bus.leave(PAST)

    @rule(reader=st.sampled_from([LIVE, SURE]), lost=st.sampled_from([0, 0, 1, 3, 100]))
    def be_cut_off(self, reader: ClientId, lost: int) -> None:
        """The last messages that were written to the connection never arrive."""
        if reader in self.lines:
            line = self.lines[reader]
            del line.got[max(len(line.got) - lost, 0) :]
            self._collect()
            self.bus.detach(reader)
            del self.lines[reader]

    @rule(reader=st.sampled_from([LIVE, SURE]))
    def come_back(self, reader: ClientId) -> None:
        member = self.bus._members.get(reader)
        if reader not in self.lines and member is not None:
            self._connect(reader, resume=True)

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        if SURE in self.lines and self.unacknowledged:
            topic, seq = data.draw(st.sampled_from(self.unacknowledged))
            self.unacknowledged.remove((topic, seq))
            self.bus.member(SURE).window.acknowledge(topic, [seq])
            self._collect()

    @invariant()
    def every_message_of_a_kept_topic_is_in_the_log(self) -> None:
        assert [seq for _, seq, _, _ in self.log.entries] == self.published[KEPT]

    @invariant()
    def first_deliveries_are_in_order_and_repeats_are_marked(self) -> None:
        for reader, messages in self.seen.items():
            streams: dict[tuple[str, str], int] = {}
            known = set()
            for message in messages:
                key = (message["topic"], message["seq"])
                if key in known:
                    assert reader == SURE, "a live message came twice"
                    assert message["redelivery"] >= 1, "a repeat was not marked"
                    continue
                known.add(key)
                stream = (message["topic"], message["sender"]["app"])
                assert streams.get(stream, 0) < message["seq"], "a stream is out of order"
                streams[stream] = message["seq"]

    def _every_message_is_accounted_for(self) -> None:
        """Delivered, told as a gap, dead with a reason, or still waiting; nothing else."""
        for reader in (LIVE, SURE):
            member = self.bus._members.get(reader)
            if member is None:
                continue
            if reader not in self.lines:
                self._connect(reader, resume=True)
            self.lines[reader].go_on()
            letters = self.bus.dead_letters.take(None)
            self.bus.dead_letters.put_back(letters)
            self._collect()
            got = {(m["topic"], m["seq"]) for m in self.seen[reader]}
            dead = {(letter.topic, letter.seq) for letter in letters if letter.addressee == reader}
            waiting = {(p.topic, p.seq) for p in member.window.take_all()}
            for topic, seqs in self.published.items():
                start = self.joined_at.get((reader, topic), 0)
                for seq in seqs:
                    accounted = (topic, seq) in got | dead | waiting
                    if reader == LIVE and not accounted:
                        accounted = self._was_told(topic, seq)
                    assert seq <= start or accounted, f"{reader.app} lost {topic} {seq} in silence"
                    if reader == LIVE and seq > start and (topic, seq) in dead:
                        assert self._was_told(topic, seq), "a live loss was not told"

    @property
    def _unreadable(self) -> set[tuple[str, str]]:
        return self.permissions.unreadable

    def _clock_ms(self) -> int:
        return self.now + self.slept

    def _excuse(self, reader: ClientId, topic: str) -> None:
        self.joined_at[reader, topic] = max(self.published[topic], default=0)

    def _was_told(self, topic: str, seq: int) -> bool:
        return any(g["topic"] == topic and g["first"] <= seq <= g["last"] for g in self.told)

    def _connect(self, reader: ClientId, *, resume: bool) -> None:
        line = self.lines[reader] = Line(partial(self.permissions.may_read, reader))
        last_seqs: dict[str, int] = {}
        for message in self.seen[reader]:
            last_seqs[message["topic"]] = max(message["seq"], last_seqs.get(message["topic"], 0))
        catchup = self.bus.catchup(reader, last_seqs)
        resumed = self.bus.attach(reader, line, resume=resume, catchup=catchup)
        if not resumed or not self.bus.member(reader).client.subscriptions:
            for pattern, mode in PATTERNS[reader].items():
                self.bus.subscribe(reader, pattern, mode)
            for topic in TOPICS:
                self._excuse(reader, topic)
        self._collect()

    def _collect(self) -> None:
        for reader, line in self.lines.items():
            got, line.got = line.got, []
            self.seen[reader] += got
            if reader == SURE:
                self.unacknowledged += [(m["topic"], m["seq"]) for m in got]
            else:
                self.told += line.gaps
            line.gaps = []


assert SESSION_GRACE_MS > 4000

TestBusHistories = BusHistories.TestCase
assert settings.default is not None
TestBusHistories.settings = settings(
    stateful_step_count=60, max_examples=min(3 * settings.default.max_examples, 10_000)
)
