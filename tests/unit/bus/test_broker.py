"""MessageBroker: stamps, fan-out, order, and the permission check on both ends."""

import json
import time

import pytest
from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import HISTORY_MESSAGES, BusClient, Rank, Reader
from deskbus.bus.topic_table import MAX_TOPICS
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from tests.support.bus_access import OpenAccess
from tests.support.messages import Inbox

ONE = Raw(b"1")


class Desk:
    def __init__(self) -> None:
        self.permissions = OpenAccess()
        self.broker = MessageBroker("e1", self.permissions, clock_ms=lambda: 1_700_000_000_000)
        self.readers: dict[BusClient, Reader] = {}

    def client(self, app: str) -> tuple[BusClient, Inbox]:
        inbox = Inbox()
        return BusClient(ClientId(app, "main"), self.broker.epoch), inbox

    def subscribe(self, client: BusClient, pattern: str, inbox: Inbox) -> Reader:
        reader = self.readers.setdefault(client, Reader(client, Rank.LIVE, inbox))
        self.broker.subscribe(client, pattern, reader)
        return reader


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.requirement("7.2")
def test_a_message_carries_its_stamps_and_the_connection_s_identity(desk: Desk) -> None:
    feed, _ = desk.client("feed")
    blotter, inbox = desk.client("blotter")
    desk.subscribe(blotter, "prices.EURUSD", inbox)
    desk.broker.publish(feed, "prices.EURUSD", Raw(b'{"bid":1.1}'))
    assert inbox.messages == [
        {
            "id": "e1.1.1",
            "topic": "prices.EURUSD",
            "sender": {"app": "feed", "client": "main"},
            "payload": {"bid": 1.1},
            "timestamp": 1_700_000_000_000,
            "epoch": "e1",
            "seq": 1,
            "correlationId": "e1.1.1",
        }
    ]


@pytest.mark.requirement("7.2")
def test_options_of_the_sender_arrive_untouched(desk: Desk) -> None:
    feed, inbox = desk.client("feed")
    desk.subscribe(feed, "a", inbox)
    options = PublishParams(
        topic="a",
        payload=ONE,
        headers={"kind": "quote"},
        ttl=500,
        priority=9,
        correlation_id="c-7",
    )
    desk.broker.publish(feed, "a", ONE, options)
    message = inbox.messages[0]
    assert message["headers"] == {"kind": "quote"}
    assert (message["ttl"], message["priority"], message["correlationId"]) == (500, 9, "c-7")


def test_the_same_bytes_go_to_every_reader(desk: Desk) -> None:
    feed, _ = desk.client("feed")
    readers = [desk.client(f"reader-{n}") for n in range(3)]
    for client, inbox in readers:
        desk.subscribe(client, "a.*", inbox)
    desk.broker.publish(feed, "a.b", ONE)
    first, *others = [inbox.lines[0] for _, inbox in readers]
    assert all(line is first for line in others)


@pytest.mark.requirement("1.2")
def test_several_matching_subscriptions_of_a_client_bring_a_message_once(desk: Desk) -> None:
    feed, inbox = desk.client("feed")
    for pattern in ("a.b", "a.*", "a.#", "#"):
        desk.subscribe(feed, pattern, inbox)
    desk.broker.publish(feed, "a.b", ONE)
    assert len(inbox.lines) == 1


def test_a_topic_s_messages_are_counted_from_one_without_gaps(desk: Desk) -> None:
    feed, inbox = desk.client("feed")
    desk.subscribe(feed, "#", inbox)
    for topic in ("a", "b", "a", "a", "b"):
        desk.broker.publish(feed, topic, ONE)
    assert [(m["topic"], m["seq"]) for m in inbox.messages] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
        ("a", 3),
        ("b", 2),
    ]


def test_subscribing_later_and_leaving_take_effect_at_once(desk: Desk) -> None:
    feed, _ = desk.client("feed")
    reader, inbox = desk.client("reader")
    for pattern in ("a.b", "a.#"):
        desk.broker.publish(feed, "a.b", ONE)
        joined = desk.subscribe(reader, pattern, inbox)
        assert desk.broker.publish(feed, "a.b", ONE).targets == (joined,)
        desk.broker.unsubscribe(reader, pattern)
        assert desk.broker.publish(feed, "a.b", ONE).targets == ()
    assert len(inbox.lines) == 2


def test_leaving_what_was_never_joined_is_told(desk: Desk) -> None:
    reader, _ = desk.client("reader")
    with pytest.raises(DeskbusError) as refused:
        desk.broker.unsubscribe(reader, "a.b")
    assert refused.value.kind.name == "not_found"


@pytest.mark.requirement("3.2")
def test_a_wildcard_brings_only_topics_that_the_client_may_read(desk: Desk) -> None:
    feed, _ = desk.client("feed")
    reader, inbox = desk.client("reader")
    desk.permissions.unreadable.add(("reader", "pay.salaries"))
    desk.subscribe(reader, "pay.#", inbox)
    desk.broker.publish(feed, "pay.salaries", ONE)
    desk.broker.publish(feed, "pay.dates", ONE)
    assert [message["topic"] for message in inbox.messages] == ["pay.dates"]


@pytest.mark.requirement("3.2")
def test_a_changed_grant_applies_to_the_next_message(desk: Desk) -> None:
    feed, _ = desk.client("feed")
    reader, inbox = desk.client("reader")
    desk.subscribe(reader, "a.#", inbox)
    desk.broker.publish(feed, "a.b", ONE)
    desk.permissions.unreadable.add(("reader", "a.b"))
    desk.permissions.unwritable.add(("feed", "a.c"))
    desk.broker.grants_changed([feed])
    desk.broker.publish(feed, "a.b", ONE)
    with pytest.raises(DeskbusError) as refused:
        desk.broker.publish(feed, "a.c", ONE)
    assert refused.value.kind.name == "permission_denied"
    assert len(inbox.lines) == 1


@pytest.mark.requirement("1.5")
def test_a_topic_keeps_its_last_hundred_messages(desk: Desk) -> None:
    feed, _ = desk.client("feed")
    for number in range(HISTORY_MESSAGES + 50):
        topic = desk.broker.publish(feed, "a", Raw(b"%d" % number))
    kept = [json.loads(line)["params"]["payload"] for line in topic.history]
    assert kept == list(range(50, 150))


@pytest.mark.requirement("1.5")
def test_history_is_bounded_in_bytes_too(desk: Desk) -> None:
    feed, _ = desk.client("feed")
    for _ in range(20):
        topic = desk.broker.publish(feed, "a", Raw(b'"' + b"x" * 50_000 + b'"'))
    assert desk.broker.topics.history_bytes == sum(map(len, topic.history)) <= 256 * 1024


def test_topics_of_long_ago_are_forgotten_and_never_count_backwards(desk: Desk) -> None:
    feed, inbox = desk.client("feed")
    desk.subscribe(feed, "kept", inbox)
    for _ in range(5):
        desk.broker.publish(feed, "kept", ONE)
        last = desk.broker.publish(feed, "idle", ONE).seq
    for number in range(MAX_TOPICS + 10):
        desk.broker.publish(feed, f"once.{number}", ONE)
    assert desk.broker.publish(feed, "idle", ONE).seq > last
    assert desk.broker.publish(feed, "kept", ONE).seq == 6
    assert [message["seq"] for message in inbox.messages] == [1, 2, 3, 4, 5, 6]


@pytest.mark.requirement("1.1")
@pytest.mark.requirement("1.6")
def test_routing_to_five_hundred_apps_takes_far_less_than_five_milliseconds(desk: Desk) -> None:
    feed, _ = desk.client("feed")
    for number in range(500):
        app, inbox = desk.client(f"app-{number}")
        desk.subscribe(app, "prices.#" if number % 2 else "prices.EURUSD", inbox)
    desk.broker.publish(feed, "prices.EURUSD", ONE)
    took = []
    for _ in range(500):
        began = time.thread_time()
        topic = desk.broker.publish(feed, "prices.EURUSD", ONE)
        took.append(time.thread_time() - began)
    assert len(topic.targets) == 500
    assert sorted(took)[int(len(took) * 0.99)] < 0.005
