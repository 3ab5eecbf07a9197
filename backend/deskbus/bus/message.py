"""A routed message, as the line that readers get; read back only where something must be known."""

from typing import NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

DEFAULT_PRIORITY = 4
_PAYLOAD = b',"payload":'
_HEAD = b'{"jsonrpc":"2.0","method":"bus.message","params":'
_TAIL = b"}\n"


class _Stamps(msgspec.Struct):
    timestamp: int
    sender: Raw
    ttl: int | UnsetType = UNSET
    priority: int = DEFAULT_PRIORITY


class Stamps(NamedTuple):
    """`expires_at` is Unix ms; `sender` is opaque, equal for the same sender."""

    sender: bytes
    priority: int
    expires_at: int | None


_decode = msgspec.json.Decoder(_Stamps).decode


def envelope(line: bytes) -> Raw:
    """The message's envelope as JSON."""
    return Raw(line[len(_HEAD) : -len(_TAIL)])


def stamps(line: bytes) -> Stamps:
    """The stamps of a line that this broker made; its payload is not looked at."""
    # `,"payload":` can't come earlier: a quote within a member before it would be escaped.
    head = line[len(_HEAD) : line.index(_PAYLOAD)]
    read = _decode(head + b"}")
    expires_at = None if isinstance(read.ttl, UnsetType) else read.timestamp + read.ttl
    return Stamps(bytes(read.sender), read.priority, expires_at)


def as_redelivery(line: bytes, attempt: int) -> bytes:
    """The line with `redelivery` set, so that its reader knows that it comes again."""
    return line.replace(_PAYLOAD, b',"redelivery":%d,"payload":' % attempt, 1)
