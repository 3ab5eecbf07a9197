"""The form of a message between machines, and what is taken for one."""

import json

import pytest
from msgspec import UNSET

from deskbus.federation.federated_message import is_foreign, key_of, pack, unpack
from tests.unit.federation.fakes import Desk

HOSTILE = {"a": '"},"origin":"x","timestamp":1', "origin": "y", "replyTo": "z", "payload": "p"}


def test_a_message_leaves_with_its_envelope_and_its_origin() -> None:
    line = Desk().line("prices.EURUSD", b'{"bid":1}', headers=HOSTILE, ttl=5)
    parcel = pack(line, "desk-a")
    assert parcel is not None
    assert (parcel.topic, parcel.key) == ("prices.EURUSD", "desk-a:e1.1.1")
    assert json.loads(parcel.data) == {"origin": "desk-a", **json.loads(line)["params"]}
    message = unpack(parcel.data)
    assert (message.origin, message.headers, message.ttl) == ("desk-a", HOSTILE, 5)
    assert bytes(message.payload) == b'{"bid":1}'


def test_a_foreign_message_does_not_leave() -> None:
    line = Desk().foreign_line("prices.EURUSD")
    assert is_foreign(line)
    assert pack(line, "desk-a") is None
    assert key_of(line) == "desk-b:e0.1.1"


def test_our_own_message_is_not_foreign_whatever_its_sender_put_in_it() -> None:
    line = Desk().line(
        "prices.EURUSD",
        json.dumps(HOSTILE).encode(),
        headers=HOSTILE,
        correlation_id='","origin":"',
    )
    assert not is_foreign(line)
    assert pack(line, "desk-a") is not None
    assert key_of(line) is None


def test_a_request_does_not_leave() -> None:
    desk = Desk()
    assert pack(desk.line("orders.prefill", reply_to="token"), "desk-a") is None
    assert pack(desk.line("orders.prefill", headers={"replyTo": "x"}), "desk-a") is not None


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"id":1}', b"\xff"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(data)


def test_a_message_that_is_nested_beyond_sense_is_refused() -> None:
    parcel = pack(Desk().line("prices.EURUSD", b"1"), "desk-a")
    assert parcel is not None
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(ValueError):
        unpack(parcel.data.replace(b'"payload":1', b'"payload":' + deep))


def test_a_message_that_would_break_a_line_is_refused() -> None:
    parcel = pack(Desk().line("prices.EURUSD", b'{"a":1}'), "desk-a")
    assert parcel is not None
    assert unpack(parcel.data).reply_to is UNSET
    with pytest.raises(ValueError, match="newline"):
        unpack(parcel.data.replace(b'{"a":1}', b'{"a":\n1}'))
