"""Whole histories of the bus, thought up by hypothesis and held against a simple model.

Two writers; readers that read late, come, go, are cut off with messages on their way, acknowledge
or don't: nothing is lost in silence, nothing comes twice unmarked, nothing comes out of order.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import UNSET, Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.delivery import offline_queue as queue_module
from deskbus.bus.service import InterApplicationBus
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.reconnection import SESSION_GRACE_MS
from tests.unit.bus.lines import Anyone, read

LIVE, SURE = ClientId("live", "main"), ClientId("sure", "main")
TOPICS = ("t.a", "t.b")
SMALL_QUEUE = 6

pytestmark = [pytest.mark.requirement("1.3"), pytest.mark.requirement("1.4")]


class Line:
    """A reader's connection; after it is cut nothing more can arrive."""

    slow = False

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.gaps: list[dict[str, Any]] = []
        self.on_dropped: Callable[[str, int], None] | None = None
        self.on_drained: Callable[[], None] | None = None

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        params = read(line)
        (self.gaps if "first" in params else self.got).append(params)

    def put_block(self, block: bytes) -> None:
        raise AssertionError("nothing is replayed here")

    def give_up(self) -> None:
        raise AssertionError("nobody is slow here")

    async def writable(self) -> None:
        raise AssertionError("nothing is replayed here")

    def withdraw(self, keeps: Callable[[bytes, str | None], bool]) -> None:
        """Whatever was put here has arrived."""


class BusHistories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000
        self.bus = InterApplicationBus(
            MessageBroker("e1", Anyone(), clock_ms=lambda: self.now),
            Anyone(),
            on_gone=lambda _: None,
            awake_ms=lambda: self.now,
        )
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

    @rule(ms=st.sampled_from([1, 100, 1000, 4000]))
    def time_passes(self, ms: int) -> None:
        self.now += ms
        self.bus.tick()

    @rule()
    def read_what_came(self) -> None:
        self._collect()

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
                    if reader == LIVE and (topic, seq) in dead:
                        assert self._was_told(topic, seq), "a live loss was not told"

    def _was_told(self, topic: str, seq: int) -> bool:
        return any(g["topic"] == topic and g["first"] <= seq <= g["last"] for g in self.told)

    def _connect(self, reader: ClientId, *, resume: bool) -> None:
        line = self.lines[reader] = Line()
        last_seqs: dict[str, int] = {}
        for message in self.seen[reader]:
            last_seqs[message["topic"]] = max(message["seq"], last_seqs.get(message["topic"], 0))
        catchup = self.bus.catchup(reader, last_seqs)
        resumed = self.bus.attach(reader, line, resume=resume, catchup=catchup)
        if not resumed or not self.bus.member(reader).client.subscriptions:
            mode = "live" if reader == LIVE else "acknowledged"
            self.bus.subscribe(reader, "t.#", mode)  # type: ignore[arg-type]
            for topic in TOPICS:
                self.joined_at[reader, topic] = max(self.published[topic], default=0)
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
TestBusHistories.settings = settings(stateful_step_count=60)
