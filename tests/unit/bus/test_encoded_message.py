"""Lines are read back as they are, whatever their sender put into them."""

import json

import pytest
from msgspec import UNSET, Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.encoded_message import as_redelivery, envelope, origin, sender_of, stamps, topic_of
from deskbus.bus.route import BusClient
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.wire.line import PAYLOAD
from tests.support.bus_access import OpenAccess

TRAPS = [
    {"a": "b", "payload": "x"},
    {"a": 'b","payload":1', "timestamp": "1", "sender": "y"},
    {'","payload":': '","redelivery":9'},
]


@pytest.fixture(params=TRAPS, ids=["key", "value", "quotes"])
def line(request: pytest.FixtureRequest) -> bytes:
    broker = MessageBroker("e1", OpenAccess(), clock_ms=lambda: 1000)
    sender = BusClient(ClientId("desk.feed", "main"), "e1")
    payload = Raw(json.dumps({"payload": request.param}).encode())
    options = PublishParams(
        topic="a", payload=payload, headers=request.param, ttl=50, priority=9, correlation_id=UNSET
    )
    name = 't,"sender":{"app":"bank"}'.replace("{", "").replace("}", "")
    return broker.publish(sender, name, payload, options).history[-1]


def test_stamps_are_those_of_the_broker(line: bytes) -> None:
    read = stamps(line)
    assert (read.seq, read.timestamp, read.priority, read.expires_at) == (1, 1000, 9, 1050)
    assert json.loads(sender_of(line)) == {"app": "desk.feed", "client": "main"}


def test_a_redelivery_is_the_same_message_with_one_member_more(line: bytes) -> None:
    before = json.loads(bytes(envelope(line)))
    after = json.loads(as_redelivery(line, 2))["params"]
    assert after.pop("redelivery") == 2
    assert after == before


@pytest.mark.requirement("C")
def test_what_is_known_of_a_message_is_read_without_its_payload(line: bytes) -> None:
    unread = line[: line.rindex(PAYLOAD) + len(PAYLOAD)] + b"no JSON" + line[-3:]
    assert stamps(unread) == stamps(line)
    assert origin(unread) == origin(line)
    assert topic_of(unread) == topic_of(line)
    assert as_redelivery(unread, 1).endswith(b',"redelivery":1,"payload":no JSON}}\n')


def test_a_line_without_a_payload_is_no_message() -> None:
    with pytest.raises(ValueError, match="subsection"):
        stamps(b'{"jsonrpc":"2.0","method":"bus.gap","params":{}}\n')
