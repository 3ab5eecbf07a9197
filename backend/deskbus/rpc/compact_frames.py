"""Blocks of compact frames: those of one method, decoded in one call.

The frames of an honest, compact sender are exactly as long as their parts, which proves that no
key is repeated and nothing is left out. Of any other block nothing is taken here, and it goes the
careful way, frame by frame.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from itertools import groupby
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus.rpc.frames import RequestId
from deskbus_protocol.bus import DEFAULT_REQUEST_TIMEOUT_MS, RequestParams, RespondParams
from deskbus_protocol.method import TraceContext
from deskbus_protocol.wire.framing import lines_of
from deskbus_protocol.wire.jsontext import MAX_DEPTH, is_too_deep
from deskbus_protocol.wire.rpc import encode

SHALLOW_BYTES = 2 * (MAX_DEPTH - 2)
"""Text this short can't be nested too deep: each level takes two bytes, the envelope two levels."""

_NOTIFICATION = b'{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"'
_REQUEST = b'{"jsonrpc":"2.0","id":'
_PUBLISH = b',"method":"bus.publish","params":{"topic":"'
_ASK = b',"method":"bus.request","params":{"topic":"'
_REPLY = b',"method":"bus.respond","params":{"replyTo":"'
_HEAD_BYTES = 160
_END = b'","payload":}}\n'
_DURABLE_BYTES = len(b',"durable":true')
_META_BYTES = len(b',"_meta":')


class CompactParams(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The parameters of nearly every publish; one that is traced has `meta`."""

    topic: str
    payload: Raw
    durable: bool = False
    meta: TraceContext | UnsetType = msgspec.field(default=UNSET, name="_meta")


class _Notification(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    jsonrpc: Literal["2.0"]
    method: Literal["bus.publish"]
    params: CompactParams


M = TypeVar("M")
P = TypeVar("P")


class CompactRequest(msgspec.Struct, Generic[M, P], gc=False, forbid_unknown_fields=True):
    """One method alone: the names of several are of the same length."""

    jsonrpc: Literal["2.0"]
    id: Raw
    method: M
    params: P


Publish = CompactRequest[Literal["bus.publish"], CompactParams]
Ask = CompactRequest[Literal["bus.request"], RequestParams]
Reply = CompactRequest[Literal["bus.respond"], RespondParams]


_decode_notifications = msgspec.json.Decoder(_Notification).decode_lines
_decode_publishes = msgspec.json.Decoder(Publish).decode_lines
_decode_asks = msgspec.json.Decoder(Ask).decode_lines
_decode_replies = msgspec.json.Decoder(Reply).decode_lines
_decode_id = msgspec.json.Decoder(RequestId).decode


class BlockKind(Enum):
    """The kind of all frames of a block, as its first one shows."""

    NOTIFICATIONS = auto()
    PUBLISHES = auto()
    ASKS = auto()
    REPLIES = auto()


def runs(block: bytes) -> Iterator[bytes]:
    """The block in pieces, each of the frames of one kind that follow each other.

    So one call among a thousand messages sends none of them the careful way.
    """
    for _, lines in groupby(lines_of(block), kind_of):
        yield b"".join(lines)


def kind_of(block: bytes) -> BlockKind | None:
    if block.startswith(_NOTIFICATION):
        return BlockKind.NOTIFICATIONS
    if not block.startswith(_REQUEST):
        return None
    head = block[:_HEAD_BYTES]
    if _PUBLISH in head:
        return BlockKind.PUBLISHES
    if _ASK in head:
        return BlockKind.ASKS
    return BlockKind.REPLIES if _REPLY in head else None


class Notifications(NamedTuple):
    """`has_traced`: whether some of them have a trace context."""

    messages: list[CompactParams]
    has_traced: bool


def notifications(block: bytes) -> Notifications | None:
    """The messages of a block of `bus.publish` without ids.

    None where a frame is not compact. Raises `MsgspecError`, `RecursionError` or
    `UnicodeDecodeError` for a block that is not of this kind, as the others do.
    """
    messages = [frame.params for frame in _decode_notifications(block)]
    topics = [message.topic for message in messages]
    payloads = [message.payload for message in messages]
    left = _bytes_beside(block, topics, payloads) - len(messages) * len(_NOTIFICATION + _END)
    traced_bytes = 0
    if left:
        traced_bytes = _traced_bytes(messages)
        left -= traced_bytes + _durable_bytes(messages)
    if left or not _are_shallow_lines(payloads):
        return None
    return Notifications(messages, traced_bytes > 0)


def publishes(block: bytes) -> list[Publish] | None:
    frames = _decode_publishes(block)
    messages = [frame.params for frame in frames]
    topics = [message.topic for message in messages]
    payloads = [message.payload for message in messages]
    left = _bytes_beside(block, topics, payloads) - _head_bytes(frames, _PUBLISH)
    left -= _durable_bytes(messages) + _traced_bytes(messages)
    return None if left or not _are_shallow_lines(payloads) else frames


def asks(block: bytes) -> list[Ask] | None:
    """Requests without members beyond topic, payload, timeout and trace context."""
    frames = _decode_asks(block)
    requests = [frame.params for frame in frames]
    topics = [request.topic for request in requests]
    payloads = [request.payload for request in requests]
    left = _bytes_beside(block, topics, payloads) - _head_bytes(frames, _ASK)
    if left:
        left -= _traced_bytes(requests)
        for request in requests:
            if request.timeout != DEFAULT_REQUEST_TIMEOUT_MS:
                left -= len(b',"timeout":%d' % request.timeout)
    return None if left or not _are_shallow_lines(payloads) else frames


def replies(block: bytes) -> list[Reply] | None:
    """Answers with a payload."""
    frames = _decode_replies(block)
    answers = [frame.params for frame in frames]
    payloads = [answer.payload for answer in answers if not isinstance(answer.payload, UnsetType)]
    if len(payloads) < len(answers):
        return None
    tokens = [answer.reply_to for answer in answers]
    left = _bytes_beside(block, tokens, payloads) - _head_bytes(frames, _REPLY)
    if left:
        left -= _traced_bytes(answers)
    return None if left or not _are_shallow_lines(payloads) else frames


def _head_bytes(frames: Sequence[CompactRequest[Any, Any]], method: bytes) -> int:
    for frame in frames:
        _decode_id(frame.id)
    return len(frames) * len(_REQUEST + method + _END) + sum([len(frame.id) for frame in frames])


def _durable_bytes(messages: Sequence[CompactParams]) -> int:
    return _DURABLE_BYTES * sum([message.durable for message in messages])


def _traced_bytes(params: Iterable[CompactParams | RequestParams | RespondParams]) -> int:
    """A context that is encoded anew is never longer than it was, so no more is explained here than
    is there.
    """
    found = [each.meta for each in params if each.meta is not UNSET]
    return sum([_META_BYTES + len(encode(context)) for context in found])


def _bytes_beside(block: bytes, texts: Sequence[str], payloads: Sequence[Raw]) -> int:
    """The size of the block without texts and payloads.

    Raises `UnicodeDecodeError` for a block that is not UTF-8.
    """
    size = len(block) - sum(map(len, payloads))
    if block.isascii():
        return size - sum(map(len, texts))
    block.decode()
    return size - sum([len(text.encode()) for text in texts])


def _are_shallow_lines(payloads: Sequence[Raw]) -> bool:
    """Whether the payloads of a block that is explained have a line each, and none is too deep."""
    # White space within a payload is explained too, and a newline there would end a line early.
    together = b"".join(payloads)
    if b"\n" in together:
        return False
    if together.count(b"{") + together.count(b"[") <= MAX_DEPTH - 2:
        return True
    long = [payload for payload in payloads if len(payload) > SHALLOW_BYTES]
    return not any(is_too_deep(bytes(payload), MAX_DEPTH - 2) for payload in long)
