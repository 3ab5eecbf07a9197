"""A message between machines: its envelope as JSON, with the origin as first member."""

import re
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from deskbus_protocol.bus import MessageParams
from deskbus_protocol.wire.line import MESSAGE_HEAD, head

_LINE_END = b"}\n"
_ORIGIN = re.compile(rb',"timestamp":\d+(,"origin":)?')
"""A quote within a string is escaped, so the first `,"timestamp":` is the member of that name."""


class _Stamps(msgspec.Struct, rename="camel"):
    id: str
    topic: str
    origin: str | UnsetType = UNSET
    reply_to: str | UnsetType = UNSET


class FederatedMessage(NamedTuple):
    """A message that leaves; `key` is unlike every other message's, of any machine."""

    topic: str
    key: str
    data: bytes


_stamps = msgspec.json.Decoder(_Stamps).decode
_message = msgspec.json.Decoder(MessageParams).decode


def is_foreign(line: bytes) -> bool:
    """Whether the line that readers get is a message of another machine."""
    found = _ORIGIN.search(line)
    return bool(found and found[1])


def pack(line: bytes, origin: str) -> FederatedMessage | None:
    """The line as it leaves the machine named `origin`; None for what must not leave.

    That is what came from another machine, and requests: who asks here can't be answered there.
    """
    envelope = line[len(MESSAGE_HEAD) : -len(_LINE_END)]
    stamps = _stamps(head(line))
    if stamps.origin is not UNSET or stamps.reply_to is not UNSET:
        return None
    data = b'{"origin":"%b",%b' % (origin.encode(), envelope[1:])
    return FederatedMessage(stamps.topic, f"{origin}:{stamps.id}", data)


def key_of(line: bytes) -> str | None:
    """The key under which a remote message of our own log had left its machine."""
    stamps = _stamps(head(line))
    return None if stamps.origin is UNSET else f"{stamps.origin}:{stamps.id}"


def unpack(data: bytes) -> MessageParams:
    """Raises `ValueError` for what is no message, or could not be passed on in a line."""
    if b"\n" in data:
        raise ValueError("a newline would end the line")
    try:
        return _message(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("not a message") from error
