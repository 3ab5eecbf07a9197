"""The number of values in a call's parameters, bounded before an object is made of each."""

from functools import cache

import msgspec
from msgspec import Raw, inspect

from deskbus_protocol.errors import TOO_LARGE, DeskbusError

UNCOUNTED_BYTES = 256 * 1024
"""Parameters that decode in no time, whatever they are."""

MAX_VALUES = 120_000
"""In lists and objects; a client that continues a subscription may tell as many seqs."""

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


def check_values(params: type[msgspec.Struct], raw: Raw) -> None:
    """Raises `DeskbusError` (too_large) for longer lists and objects than any method takes.

    A limit of the schema is looked at when all is decoded, which takes 50 ms for 4 MiB.
    """
    if len(raw) <= UNCOUNTED_BYTES:
        return
    counted = _counted_members(params)
    try:
        members = _decode_members(raw) if counted else {}
    except msgspec.MsgspecError:
        # Decoding tells what is wrong.
        return
    values = sum(bytes(members.get(name, b"")).count(b",") for name in counted)
    if values > MAX_VALUES:
        raise DeskbusError(TOO_LARGE, f"A list or object has more than {MAX_VALUES} values.")


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
