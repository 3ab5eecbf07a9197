"""Text that the backend would refuse unread is refused where it is written."""

import json
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from deskbus_protocol.errors import INVALID_PARAMS, TOO_LARGE, DeskbusError
from deskbus_protocol.wire import jsontext, rpc
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES
from deskbus_protocol.wire.jsontext import (
    MAX_DEPTH,
    encoded,
    has_half_pair,
    sendable,
    written_anew,
)

DIGITS = sys.int_info.default_max_str_digits
"""Of a whole number, at most, in Python."""

cycle: list[Any] = []
cycle.append(cycle)


class Opaque:
    """Nothing that JSON knows."""


@pytest.mark.parametrize(
    "text",
    ['{\n"a":1}', '{"a":1}\r\n', '\t{\r\n  "a" : 1\r\n}\n', '{"a":2,"a":1}', b'\n{"a":1}\n'],
)
def test_json_from_a_person_is_written_on_one_line(text: str | bytes) -> None:
    assert bytes(written_anew(text)) == b'{"a":1}'


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_what_is_written_anew_means_the_same(value: object) -> None:
    anew = bytes(written_anew(json.dumps(value, indent=1)))
    assert b"\n" not in anew
    assert b"\r" not in anew
    assert json.loads(anew) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "NaN", "[Infinity]", "1e400", "'a'", '"\\ud83d"', "\udc80", '"a\nb"', b"\xff"),
        *("9" * (DIGITS + 1), "[-1" + "0" * DIGITS + "]"),
    ],
)
def test_what_is_no_json_is_told(text: str | bytes) -> None:
    with pytest.raises(DeskbusError) as refused:
        written_anew(text)
    assert refused.value.kind is INVALID_PARAMS
    assert "sys." not in refused.value.message


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000, 200_000])
def test_too_deep_json_is_told(depth: int) -> None:
    with pytest.raises(DeskbusError) as refused:
        written_anew("[" * depth + "]" * depth)
    assert refused.value.kind is INVALID_PARAMS


@pytest.mark.parametrize(
    "value",
    [
        Opaque(),
        len,
        cycle,
        {(1, 2): 3},
        "cut \ud83d",
        {"\ude00": 1},
        Raw(b'"\\ud83d"'),
        Raw(b"{\n"),
        Raw(b"[" * 200 + b"]" * 200),
    ],
    ids=[
        "opaque",
        "function",
        "cycle",
        "tuple-key",
        "half-a-pair",
        "half-a-pair-as-key",
        "raw-half-a-pair",
        "raw-cut",
        "raw-deep",
    ],
)
def test_what_can_not_be_sent_is_told_by_its_code(value: object) -> None:
    with pytest.raises(DeskbusError) as refused:
        encoded(value)
    assert refused.value.kind is INVALID_PARAMS
    with pytest.raises(DeskbusError) as refused:
        sendable(lambda: rpc.notification("bus.publish", {"payload": value}))
    assert refused.value.kind is INVALID_PARAMS


def test_raw_text_leaves_on_one_line() -> None:
    frame = sendable(lambda: rpc.request("a.b", {"payload": Raw(b'{\n"a":\n"\\u2028"}')}, 1))
    assert b"\n" not in frame
    assert msgspec.json.decode(frame)["params"] == {"payload": {"a": "\u2028"}}


def test_a_frame_may_be_as_large_as_the_backend_takes_to_the_byte() -> None:
    room = MAX_FRAME_BYTES - len(b"\n")
    assert len(sendable(lambda: b"1" * room)) == room
    with pytest.raises(DeskbusError) as refused:
        sendable(lambda: b"1" * (room + 1))
    assert refused.value.kind is TOO_LARGE


@pytest.mark.parametrize(
    ("text", "half"),
    [
        (rb'"\ud83d\ude00"', False),
        (rb'"\\ud83d"', False),
        (rb'"\ud83d"', True),
        (rb'"\ude00\ud83d"', True),
        (rb'"\\\uDE00"', True),
        (rb'"\ud83d\ud83d\ude00"', True),
    ],
)
def test_half_a_pair_is_told_from_a_whole_one(text: bytes, half: bool) -> None:
    assert has_half_pair(text) is half


STRING = st.lists(st.sampled_from([*"[]{}a,", '\\"', "\\\\"]), max_size=12).map(
    lambda parts: f'"{"".join(parts)}"'
)
JSON_TEXT = st.lists(st.sampled_from([*"[]{}a,"]) | STRING, max_size=30).map(
    lambda parts: "".join(parts).encode()
)
"""Brackets and strings in any order: a backslash is nowhere but in a string."""


def deepest(text: bytes) -> int:
    """Nesting outside strings, letter by letter."""
    depth = most = 0
    quoted = escaped = False
    for letter in text.decode():
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += (letter in "[{") - (letter in "]}")
            most = max(most, depth)
    return most


@given(JSON_TEXT, st.integers(1, 6), st.integers(1, 9))
def test_nesting_is_counted_outside_strings_wherever_the_windows_end(
    text: bytes, limit: int, window_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsontext, "COUNTED_AT_ONCE_BYTES", window_bytes)
        patch.setattr(jsontext, "_CHUNK_BYTES", 2)
        assert jsontext.is_too_deep(text, limit) is (deepest(text) > limit)


def test_the_nesting_of_a_long_text_is_counted_in_many_steps() -> None:
    text = b"[" + b",".join([b'[["]"]]'] * 100_000) + b"]"
    steps = list(jsontext.nesting(text))
    windows = len(text) // jsontext.COUNTED_AT_ONCE_BYTES + 1
    assert len(steps) == windows + len(text) // jsontext.SEARCHED_AT_ONCE_BYTES + 1
    assert not any(steps)
