"""A record is one plain line, whatever is in it."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from deskbus.audit.format import record
from deskbus.audit.format.record import MAX_TEXT, Stamped
from deskbus.audit.format.record_decoder import decode_record
from deskbus_protocol.events import PermissionDenied, TicketUsed, Violation

FIELDS = ("app", "client", "reason", "correlation_id", "trace_id", "kind", "method", "target")
NASTY = 'a\n\r\x00\x1b[31m\x7f\u2028\u2029\x85\u202e\U0001f600"\\é,=1+1'


def line_of(event: Violation | TicketUsed | PermissionDenied) -> bytes:
    unsigned = record.unsigned_line(Stamped(event, 5, 6), 0, bytes(32), b"boot")
    return record.close_line(unsigned, bytes(32))


@pytest.mark.parametrize("field", FIELDS)
def test_control_characters_and_line_separators_stay_within_their_line(field: str) -> None:
    event = structs.replace(Violation(kind="acl"), **{field: NASTY})
    line = line_of(event)
    assert line.isascii()
    assert not any(byte < 0x20 or byte == 0x7F for byte in line)
    name = {"correlation_id": "correlationId", "trace_id": "traceId"}.get(field, field)
    assert json.loads(line)[name] == NASTY


@given(st.text())
def test_any_text_comes_back_from_its_line(text: str) -> None:
    line = line_of(Violation(kind="acl", target=text))
    assert len(line.splitlines()) == 1
    found = json.loads(line).get("target", "")
    if len(text) <= MAX_TEXT:
        assert found == text.encode("utf-8", "backslashreplace").decode()


def test_a_field_of_a_mebibyte_is_cut_and_its_hash_kept() -> None:
    text = "ä" * (1 << 19)
    line = line_of(Violation(kind="acl", target=text, method="bus.publish"))
    assert len(line) < 8000
    found = json.loads(line)
    assert found["target"].startswith("ää")
    content = text.encode()
    digest = hashlib.sha256(content).hexdigest()
    assert found["target"].endswith(f"[cut: {len(content)} bytes, sha256 {digest}]")
    assert found["method"] == "bus.publish"


def test_half_a_surrogate_pair_is_written_as_words() -> None:
    line = line_of(Violation(kind="acl", target="bad \ud800 name"))
    assert json.loads(line)["target"] == "bad \\ud800 name"


def test_a_record_has_what_its_event_does_not_say_itself() -> None:
    event = PermissionDenied(
        app="com.example.a", permission="secrets", scope="own", holds="once", actor="person"
    )
    view = decode_record(line_of(event))
    assert (view.seq, view.time, view.mono, view.boot) == (0, 5, 6, "boot")
    assert (view.type, view.severity, view.decision) == ("permission.denied", "warning", "denied")
    assert view.details == {"permission": "secrets", "scope": "own", "holds": "once"}


def test_the_mac_comes_apart_from_what_it_covers() -> None:
    line = line_of(TicketUsed(app="a"))
    unsigned, mac = record.split_mac(line)
    assert record.close_line(unsigned, mac) == line
    assert mac == bytes(32)
    with pytest.raises(ValueError):
        record.split_mac(b'{"seq":1}')


def test_lines_begin_as_their_place_demands() -> None:
    line = line_of(TicketUsed(app="a"))
    assert line.startswith(record.prefix(0, bytes(32)))
    assert not line.startswith(record.prefix(1, bytes(32)))
    assert not line.startswith(record.prefix(0, b"\1" * 32))
