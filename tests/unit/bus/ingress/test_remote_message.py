"""Messages of other machines: what they keep, what they are given here, who may read them."""

import json

import pytest
from msgspec import UNSET, Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient, Rank, Reader
from deskbus_protocol.bus import MessageParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.method import TraceContext
from tests.support.bus_access import OpenAccess
from tests.support.messages import Inbox, read

NOW_MS = 1_700_000_000_000


class NoOrders(OpenAccess):
    """Lets nobody read orders."""

    def may_read(self, identity: ClientId, topic: str) -> bool:
        return not topic.startswith("orders.")


def remote(topic: str = "prices.EURUSD", **members: object) -> MessageParams:
    sent = {
        "id": "e0.3.17",
        "topic": topic,
        "sender": ClientId("feed", "main"),
        "payload": Raw(b'{"bid":1.1}'),
        "timestamp": 5,
        "epoch": "e0",
        "seq": 17,
        "correlation_id": "order-1",
        "origin": "desk-b",
        **members,
    }
    return MessageParams(**sent)  # type: ignore[arg-type]


class Desk:
    """A broker, the door to it for other machines, and somebody who reads everything."""

    def __init__(self, acl: OpenAccess | None = None) -> None:
        self.broker = MessageBroker("e1", acl or OpenAccess(), clock_ms=lambda: NOW_MS)
        self.inbox = Inbox()
        self._door = BusClient(ClientId("deskbus.federation", "desk-a"), "e1")
        blotter = BusClient(ClientId("blotter", "main"), "e1")
        self.broker.subscribe(blotter, "#", Reader(blotter, Rank.LIVE, self.inbox))

    def admit(self, message: MessageParams) -> None:
        self.broker.admit(self._door, message)


@pytest.mark.requirement("7.2")
def test_it_keeps_id_sender_and_correlation_id_and_is_counted_here() -> None:
    desk = Desk()
    trace = TraceContext(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    desk.admit(remote(headers={"a": '"},"origin":"x'}, ttl=9, priority=2, meta=trace))
    desk.admit(remote())
    first, second = (read(line) for line in desk.inbox.lines)
    assert first == {
        "topic": "prices.EURUSD",
        "sender": {"app": "feed", "client": "main"},
        "epoch": "e1",
        "seq": 1,
        "id": "e0.3.17",
        "correlationId": "order-1",
        "timestamp": NOW_MS,
        "origin": "desk-b",
        "headers": {"a": '"},"origin":"x'},
        "ttl": 9,
        "priority": 2,
        "_meta": {"traceparent": trace.traceparent},
        "payload": {"bid": 1.1},
    }
    assert second["seq"] == 2
    assert "headers" not in second


def test_it_stands_in_the_history_beside_our_own() -> None:
    desk = Desk()
    ours = BusClient(ClientId("feed", "main"), "e1")
    desk.admit(remote())
    desk.broker.publish(ours, "prices.EURUSD", Raw(b"2"))
    found = [json.loads(line)["params"] for line in desk.broker.history("prices.EURUSD")]
    assert [(message["seq"], message.get("origin")) for message in found] == [
        (1, "desk-b"),
        (2, None),
    ]


def test_a_reader_without_the_permission_does_not_get_it() -> None:
    desk = Desk(NoOrders())
    desk.admit(remote("orders.new"))
    assert desk.inbox.lines == []


def test_a_topic_that_is_none_is_refused() -> None:
    desk = Desk()
    with pytest.raises(DeskbusError) as refused:
        desk.admit(remote("prices.*"))
    assert refused.value.kind.name == "invalid_topic"


def test_absent_members_are_left_out() -> None:
    desk = Desk()
    desk.admit(remote(ttl=UNSET))
    assert b'"ttl"' not in desk.inbox.lines[0]
