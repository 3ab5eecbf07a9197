"""The number of values in a frame and in a call's parameters, bounded before they are decoded."""

from collections.abc import Iterator
from functools import cache

import msgspec
from msgspec import Raw, inspect

from deskbus_protocol.errors import TOO_LARGE, DeskbusError
from deskbus_protocol.methods import METHODS
from deskbus_protocol.wire.jsontext import mark_counts, value_counts

UNCOUNTED_BYTES = 256 * 1024
"""Parameters that decode in no time, whatever they are."""

MAX_VALUES = 120_000
"""In lists and objects; a client that continues a subscription may tell as many seqs."""

MAX_FRAME_VALUES = 500_000
"""In all lists and objects of a frame. The decoder goes through a text in one piece, which for as
many values takes some milliseconds; strings of the same length take less than one.
"""

_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_PLAIN = (
    inspect.RawType,
    inspect.StrType,
    inspect.IntType,
    inspect.FloatType,
    inspect.BoolType,
    inspect.NoneType,
    inspect.LiteralType,
    inspect.EnumType,
)


def checking_values(frame: bytes) -> Iterator[bool]:
    """Raises `DeskbusError` (too_large) for a frame with too many values, in steps."""
    marks = 0
    for more in mark_counts(frame, b",[{"):
        marks += more
        yield True
    if marks <= MAX_FRAME_VALUES:
        # Not even all of them together, those in strings included.
        return
    values = 0
    for more in value_counts(frame):
        values += more
        if values > MAX_FRAME_VALUES:
            raise DeskbusError(
                TOO_LARGE,
                f"The frame has more than {MAX_FRAME_VALUES} values.",
                action="Send it in parts, or as one string.",
            )
        yield True


def checking_params(method: str, raw: Raw) -> Iterator[bool]:
    """Raises `DeskbusError` (too_large), in steps, where lists are longer than any method takes.

    A limit of the schema is looked at when all is decoded, which takes 50 ms for 4 MiB.
    """
    row = METHODS.get(method)
    if row is None or len(raw) <= UNCOUNTED_BYTES:
        return
    commas = bytes(raw).count(b",")
    yield True
    if commas <= MAX_VALUES:
        return
    counted = _counted_members(row.params)
    try:
        members = _decode_members(raw) if counted else {}
    except msgspec.MsgspecError:
        # Decoding tells what is wrong.
        return
    yield True
    values = sum(bytes(members.get(name, b"")).count(b",") for name in counted)
    if values > MAX_VALUES:
        raise DeskbusError(TOO_LARGE, f"A list or object has more than {MAX_VALUES} values.")
    yield True


@cache
def _counted_members(params: type[msgspec.Struct]) -> tuple[str, ...]:
    """The members whose values become objects one by one."""
    described = inspect.type_info(params)
    assert isinstance(described, inspect.StructType)
    return tuple(field.encode_name for field in described.fields if not _is_plain(field.type))


def _is_plain(described: inspect.Type) -> bool:
    if isinstance(described, inspect.Metadata):
        return _is_plain(described.type)
    if isinstance(described, inspect.UnionType):
        return all(map(_is_plain, described.types))
    return isinstance(described, (*_PLAIN, inspect.CustomType))
