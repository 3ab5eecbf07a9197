"""A routed message, as the line that readers get; read back only where something must be known."""

import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus_protocol.wire.line import MESSAGE_HEAD, SENDER, head

DEFAULT_PRIORITY = 4
_TAIL = b"}\n"
"""The end of the frame, behind the envelope."""


class _StampMembers(msgspec.Struct):
    seq: int
    timestamp: int
    sender: Raw
    ttl: int | UnsetType = UNSET
    priority: int = DEFAULT_PRIORITY


class _Topic(msgspec.Struct):
    topic: str


class Origin(msgspec.Struct):
    """The message that a line is; `timestamp` is Unix ms."""

    topic: str
    epoch: str
    seq: int
    timestamp: int


class Stamps(msgspec.Struct, frozen=True, gc=False):
    """Times are Unix ms; `sender` is opaque, equal for the same sender."""

    seq: int
    timestamp: int
    sender: bytes
    priority: int
    expires_at: int | None


_decode = msgspec.json.Decoder(_StampMembers).decode
_decode_origin = msgspec.json.Decoder(Origin).decode
_decode_topic = msgspec.json.Decoder(_Topic).decode


def envelope(line: bytes) -> Raw:
    """The message's envelope as JSON."""
    return Raw(line[len(MESSAGE_HEAD) : -len(_TAIL)])


def stamps(line: bytes) -> Stamps:
    """The stamps of a line that the broker made."""
    read = _decode(head(line))
    expires_at = None if isinstance(read.ttl, UnsetType) else read.timestamp + read.ttl
    return Stamps(read.seq, read.timestamp, bytes(read.sender), read.priority, expires_at)


def origin(line: bytes) -> Origin:
    return _decode_origin(head(line))


def topic_of(line: bytes) -> str | None:
    """The topic of a message's line; None for a line that is something else."""
    if not line.startswith(MESSAGE_HEAD):
        return None
    return _decode_topic(head(line)).topic


def sender_of(line: bytes) -> bytes:
    """The sender's JSON, as `encode(Sender(…))` gives it."""
    start = line.index(SENDER) + len(SENDER)
    return line[start : line.index(b"}", start) + 1]


def as_redelivery(line: bytes, attempt: int) -> bytes:
    """The line with `redelivery` set, so that its reader knows that it comes again."""
    at = len(MESSAGE_HEAD) + len(head(line)) - len(b"}")
    return b'%b,"redelivery":%d%b' % (line[:at], attempt, line[at:])
