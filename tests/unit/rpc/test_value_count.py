"""The values of a call's parameters are counted before objects are made of them."""

import msgspec
import pytest
from msgspec import Raw

from deskbus.rpc.value_count import MAX_VALUES, UNCOUNTED_BYTES, check_values
from deskbus_protocol.bus import AckParams, ContinueParams, PublishParams
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.files import WriteFileParams
from deskbus_protocol.wire.rpc import encode

MANY = list(range(MAX_VALUES + 2))


@pytest.mark.requirement("C")
@pytest.mark.parametrize(
    ("params", "members"),
    [
        (AckParams, {"topic": "a", "seqs": MANY}),
        (PublishParams, {"topic": "a", "payload": 1, "headers": dict.fromkeys(map(str, MANY), "")}),
        (ContinueParams, {"pattern": "a", "seen": {"e": dict.fromkeys(map(str, MANY), 1)}}),
    ],
)
def test_longer_lists_than_any_method_takes_are_refused(
    params: type[msgspec.Struct], members: object
) -> None:
    with pytest.raises(DeskbusError) as refused:
        check_values(params, Raw(encode(members)))
    assert refused.value.kind.name == "too_large"


@pytest.mark.parametrize(
    ("params", "members"),
    [
        (PublishParams, {"topic": "a", "payload": MANY, "headers": {"a": ","}}),
        (WriteFileParams, {"path": "/a", "content": "," * len(MANY) * 3}),
        (AckParams, {"topic": "a", "seqs": MANY[:1000], "more": "x" * UNCOUNTED_BYTES}),
    ],
)
def test_a_payload_and_a_text_are_passed_on_however_long_they_are(
    params: type[msgspec.Struct], members: object
) -> None:
    check_values(params, Raw(encode(members)))


def test_what_is_no_object_is_left_to_the_decoder() -> None:
    check_values(AckParams, Raw(b"[" + b"1," * UNCOUNTED_BYTES + b"1]"))
