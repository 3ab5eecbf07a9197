"""The values of a call's parameters are counted before objects are made of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from deskbus.rpc.value_count import (
    MAX_FRAME_VALUES,
    MAX_VALUES,
    UNCOUNTED_BYTES,
    checking_params,
    checking_values,
)
from deskbus_protocol.errors import TOO_LARGE, DeskbusError
from deskbus_protocol.wire import jsontext
from deskbus_protocol.wire.jsontext import value_counts
from deskbus_protocol.wire.rpc import encode

MANY = list(range(MAX_VALUES + 2))


@pytest.mark.requirement("C")
@pytest.mark.parametrize(
    ("method", "members"),
    [
        ("bus.ack", {"topic": "a", "seqs": MANY}),
        ("bus.publish", {"topic": "a", "payload": 1, "headers": dict.fromkeys(map(str, MANY), "")}),
        ("bus.continue", {"pattern": "a", "seen": {"e": dict.fromkeys(map(str, MANY), 1)}}),
    ],
)
def test_longer_lists_than_any_method_takes_are_refused(method: str, members: object) -> None:
    with pytest.raises(DeskbusError) as refused:
        list(checking_params(method, Raw(encode(members))))
    assert refused.value.kind.name == "too_large"


@pytest.mark.parametrize(
    ("method", "members"),
    [
        ("bus.publish", {"topic": "a", "payload": MANY, "headers": {"a": ","}}),
        ("files.write", {"path": "/a", "content": "," * len(MANY) * 3}),
        ("bus.ack", {"topic": "a", "seqs": MANY[:1000], "more": "x" * UNCOUNTED_BYTES}),
    ],
)
def test_a_payload_and_a_text_are_passed_on_however_long_they_are(
    method: str, members: object
) -> None:
    list(checking_params(method, Raw(encode(members))))


def test_what_is_no_object_is_left_to_the_decoder() -> None:
    list(checking_params("bus.ack", Raw(b"[" + b"1," * UNCOUNTED_BYTES + b"1]")))


def is_refused(frame: bytes) -> bool:
    try:
        list(checking_values(frame))
    except DeskbusError as error:
        return error.kind is TOO_LARGE
    return False


@pytest.mark.requirement("C")
def test_a_frame_with_more_values_than_one_may_have_is_refused_in_steps() -> None:
    most = b"[%b]" % b",".join([b"1"] * MAX_FRAME_VALUES)
    assert not is_refused(most)
    assert is_refused(b"[" + most + b"]")
    steps = checking_values(b"[" + most + b"]")
    assert next(steps)
    assert next(steps)


def test_a_text_with_many_commas_is_one_value() -> None:
    table = json.dumps("1,2,3,[{\\" * (MAX_FRAME_VALUES // 3)).encode()
    assert table.count(b",") + table.count(b"[") > MAX_FRAME_VALUES
    assert not is_refused(b"[%b]" % table)


TEXTS = st.text(alphabet='a,[]{}:"\\ ', max_size=12)
VALUES = st.recursive(
    st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)


def size_of(value: Any) -> int:
    """Its elements and members, and theirs; an empty list or object counts as one."""
    if isinstance(value, str | int):
        return 0
    inner = list(value.values()) if isinstance(value, dict) else value
    return max(len(inner), 1) + sum(map(size_of, inner))


@given(VALUES, st.integers(3, 40))
def test_values_are_counted_alike_wherever_windows_end(value: Any, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsontext, "COUNTED_AT_ONCE_BYTES", window)
        counted = sum(value_counts(json.dumps(value).encode()))
    assert counted == size_of(value)
