"""Messages from elsewhere are taken in once, in order, if they may be, and never our own."""

from collections.abc import AsyncGenerator

import pytest

from deskbus.federation.federated_message import pack
from deskbus.federation.incoming import (
    REMEMBERED_KEYS,
    Arrivals,
    LiveIncoming,
    StreamIncoming,
    expect_from,
)
from deskbus.federation.nats_port import Delivery, NatsPortError, StreamState
from deskbus.federation.nats_subjects import LIVE, PERSISTED, Kind, brings, subject_of
from deskbus_protocol.bus import MessageParams
from deskbus_protocol.errors import INVALID_TOPIC, DeskbusError
from tests.unit.federation.fakes import NOW_MS, Desk, FakeWire


class Door:
    """Our side: `taken` is what came in."""

    def __init__(self, *patterns: str, now_ms: int = NOW_MS) -> None:
        self.taken: list[MessageParams] = []
        self.sound = True
        self.arrivals = Arrivals(
            "desk-b",
            "deskbus",
            patterns or ("#",),
            admit=self._admit,
            is_sound=lambda _: self.sound,
            clock_ms=lambda: now_ms,
        )

    def receive(self, line: bytes, *, kind: Kind = LIVE, origin: str = "desk-a") -> None:
        parcel = pack(line, origin)
        assert parcel is not None
        self.arrivals.receive(kind, subject_of("deskbus", kind, origin, parcel.topic), parcel.data)

    @property
    def topics(self) -> list[str]:
        return [message.topic for message in self.taken]

    def _admit(self, message: MessageParams) -> bool:
        if message.topic == "bad":
            raise DeskbusError(INVALID_TOPIC)
        self.taken.append(message)
        return False


def test_a_message_comes_in_with_its_origin() -> None:
    door = Door("prices.#")
    door.receive(Desk().line("prices.EURUSD"))
    assert [(m.topic, m.origin, m.id) for m in door.taken] == [
        ("prices.EURUSD", "desk-a", "e1.1.1")
    ]


def test_our_own_message_and_an_unwanted_one_do_not_come_in() -> None:
    door, desk = Door("prices.#"), Desk()
    door.receive(desk.line("prices.EURUSD"), origin="desk-b")
    door.receive(desk.line("orders.new"))
    assert (door.taken, door.arrivals.refused) == ([], 0)


@pytest.mark.parametrize(
    "subject",
    [
        "deskbus.c.desk-c.prices",
        "deskbus.p.desk-a.prices",
        "deskbus.c.desk-a.orders",
        "deskbus.c.desk-a",
    ],
)
def test_a_message_that_is_not_what_its_subject_says_is_refused(subject: str) -> None:
    door, parcel = Door(), pack(Desk().line("prices"), "desk-a")
    assert parcel is not None
    door.arrivals.receive(LIVE, subject, parcel.data)
    assert (door.taken, door.arrivals.refused) == ([], 1)


def test_what_our_links_or_our_broker_can_not_carry_is_refused() -> None:
    door, desk = Door(), Desk()
    door.receive(desk.line("bad"))
    door.sound = False
    door.receive(desk.line("prices"))
    assert (door.taken, door.arrivals.refused) == ([], 2)


def test_time_under_way_counts_for_the_ttl() -> None:
    desk = Desk()
    late, early, gone = Door(now_ms=NOW_MS + 40), Door(now_ms=NOW_MS - 40), Door(now_ms=NOW_MS + 60)
    for door in (late, early, gone):
        door.receive(desk.line("prices", ttl=60))
    assert [m.ttl for door in (late, early, gone) for m in door.taken] == [20, 60]


def test_a_persisted_message_comes_in_once_and_a_live_one_as_often_as_it_comes() -> None:
    door, line = Door(), Desk().line("orders.new")
    for _ in range(2):
        door.receive(line, kind=PERSISTED)
        door.receive(line, kind=PERSISTED, origin="desk-c")
        door.receive(line)
    assert [m.origin for m in door.taken] == ["desk-a", "desk-c", "desk-a", "desk-a"]


async def test_what_is_in_our_log_is_recognized_until_something_new_comes() -> None:
    door, desk = Door(), Desk()
    lines = [desk.foreign_line("orders.new", "desk-a", f"e0.1.{n}") for n in (1, 2)]

    async def blocks() -> AsyncGenerator[bytes, None]:
        yield desk.line("orders.new") + b"".join(lines)

    again = [line.replace(b',"origin":"desk-a"', b"") for line in lines]
    assert door.arrivals.caught_up
    await expect_from(blocks(), door.arrivals)
    door.receive(again[0], kind=PERSISTED)
    assert (door.taken, door.arrivals.caught_up) == ([], False)
    door.receive(again[1], kind=PERSISTED)
    assert (door.taken, door.arrivals.caught_up) == ([], True)
    await expect_from(blocks(), door.arrivals)
    door.receive(desk.line("orders.new"), kind=PERSISTED)
    assert (len(door.taken), door.arrivals.caught_up) == (1, True)


def test_what_is_remembered_is_bounded() -> None:
    door, desk = Door(), Desk()
    first = desk.line("orders.new")
    door.receive(first, kind=PERSISTED)
    for number in range(REMEMBERED_KEYS):
        door.arrivals.expect(str(number))
    door.receive(first, kind=PERSISTED)
    assert len(door.taken) == 2


async def test_overlapping_subscriptions_bring_a_message_once() -> None:
    door, desk = Door("prices.*", "*.EURUSD", "prices.#"), Desk()
    wire = FakeWire()
    await LiveIncoming(door.arrivals).start(wire)
    assert [subject for subject, _ in wire.receivers] == [
        "deskbus.c.*.prices.*",
        "deskbus.c.*.*.EURUSD",
        "deskbus.c.*.prices",
        "deskbus.c.*.prices.>",
    ]
    parcel = pack(desk.line("prices.EURUSD"), "desk-a")
    assert parcel is not None
    for nats_filter, receive in wire.receivers:
        if brings(nats_filter, "deskbus.c.desk-a.prices.EURUSD"):
            receive("deskbus.c.desk-a.prices.EURUSD", parcel.data)
    assert door.topics == ["prices.EURUSD"]


def delivery(line: bytes, seq: int, number: int) -> Delivery:
    parcel = pack(line, "desk-a")
    assert parcel is not None
    subject = subject_of("deskbus", PERSISTED, "desk-a", parcel.topic)
    return Delivery(subject, parcel.data, seq, number, f"receipt-{number}")


async def test_the_stream_goes_on_after_what_was_taken() -> None:
    door, desk, wire = Door(), Desk(), FakeWire()
    incoming = StreamIncoming(door.arrivals, lambda: None)
    incoming.stream, incoming.taken = "s1", 4
    await incoming.start(wire, StreamState("s1", 9))
    assert wire.consumed_after == 4
    wire.deliver(delivery(desk.line("orders.a"), 5, 1))
    wire.deliver(delivery(desk.line("orders.b"), 9, 2))
    wire.deliver(delivery(desk.line("orders.b"), 9, 3))
    assert (incoming.taken, incoming.receipt) == (9, "receipt-3")
    assert door.topics == ["orders.a", "orders.b"]


@pytest.mark.parametrize(
    ("stream", "taken", "last_seq", "before", "after"),
    [
        ("s1", 4, 9, 0, 4),
        ("s1", 14, 9, 0, 9),
        ("other", 4, 9, 0, 0),
        ("", 0, 9, 6, 6),
    ],
    ids=["known", "cut back", "made anew", "asks the server"],
)
async def test_where_the_stream_is_taken_up(
    stream: str, taken: int, last_seq: int, before: int, after: int
) -> None:
    wire, incoming = FakeWire(), StreamIncoming(Door().arrivals, lambda: None)
    incoming.stream, incoming.taken = stream, taken
    wire.acknowledged_before = before
    await incoming.start(wire, StreamState("s1", last_seq))
    assert wire.consumed_after == after


async def test_a_delivery_that_got_lost_ends_the_run_before_what_follows_comes_in() -> None:
    door, desk, wire = Door(), Desk(), FakeWire()
    incoming = StreamIncoming(door.arrivals, lambda: None)
    await incoming.start(wire, StreamState("s1", 9))
    wire.deliver(delivery(desk.line("orders.a"), 1, 1))
    wire.deliver(delivery(desk.line("orders.c"), 3, 3))
    wire.deliver(delivery(desk.line("orders.d"), 4, 4))
    with pytest.raises(NatsPortError, match="lost"):
        await incoming.run()
    assert (door.topics, incoming.taken) == (["orders.a"], 1)
