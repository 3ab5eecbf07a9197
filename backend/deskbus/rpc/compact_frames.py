"""Blocks of compact frames: those of one method, decoded in one call.

The frames of an honest, compact sender are exactly as long as their parts, which proves that no
key is repeated and nothing is left out. Of any other block nothing is taken here, and it goes the
careful way, frame by frame.
"""

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Raw

from deskbus.rpc.frames import RequestId
from deskbus_protocol.bus import DEFAULT_REQUEST_TIMEOUT_MS, RequestParams, RespondParams
from deskbus_protocol.wire.jsontext import MAX_DEPTH, is_too_deep

SHALLOW_BYTES = 2 * (MAX_DEPTH - 2)
"""Text this short can't be nested too deep: each level takes two bytes, the envelope two levels."""

_NOTIFICATION = b'{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"'
_REQUEST = b'{"jsonrpc":"2.0","id":'
_PUBLISH = b',"method":"bus.publish","params":{"topic":"'
_ASK = b',"method":"bus.request","params":{"topic":"'
_REPLY = b',"method":"bus.respond","params":{"replyTo":"'
_MARK = b'"_meta"'
_HEAD_BYTES = 160
_END = b'","payload":}}\n'
_DURABLE_BYTES = len(b',"durable":true')


class CompactParams(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The parameters of nearly every publish."""

    topic: str
    payload: Raw
    durable: bool = False


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


def marked_apart(block: bytes) -> Iterator[bytes]:
    """The block in pieces: frames that may carry a trace by themselves, and those between together.

    So one message in a hundred that is traced sends no other the careful way.
    """
    begin = 0
    while (found := block.find(_MARK, begin)) >= 0:
        start = block.rfind(b"\n", begin, found) + 1 or begin
        end = block.find(b"\n", found) + 1 or len(block)
        if start > begin:
            yield block[begin:start]
        yield block[start:end]
        begin = end
    if begin < len(block):
        yield block[begin:]


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


def notifications(block: bytes) -> list[CompactParams] | None:
    """The messages of a block of `bus.publish` without ids.

    None where a frame is not compact. Raises `MsgspecError`, `RecursionError` or
    `UnicodeDecodeError` for a block that is not of this kind, as the others do.
    """
    messages = [frame.params for frame in _decode_notifications(block)]
    size = len(messages) * len(_NOTIFICATION + _END) + _durable_bytes(messages)
    topics = [message.topic for message in messages]
    return messages if _explain(block, size, topics, [m.payload for m in messages]) else None


def publishes(block: bytes) -> list[Publish] | None:
    frames = _decode_publishes(block)
    messages = [frame.params for frame in frames]
    size = _head_bytes(frames, _PUBLISH) + _durable_bytes(messages)
    topics = [message.topic for message in messages]
    return frames if _explain(block, size, topics, [m.payload for m in messages]) else None


def asks(block: bytes) -> list[Ask] | None:
    """Requests without members beyond topic, payload and timeout."""
    frames = _decode_asks(block)
    size = _head_bytes(frames, _ASK)
    for frame in frames:
        if frame.params.timeout != DEFAULT_REQUEST_TIMEOUT_MS:
            size += len(b',"timeout":%d' % frame.params.timeout)
    topics = [frame.params.topic for frame in frames]
    return frames if _explain(block, size, topics, [f.params.payload for f in frames]) else None


def replies(block: bytes) -> list[Reply] | None:
    """Answers with a payload."""
    frames = _decode_replies(block)
    payloads = [frame.params.payload for frame in frames if frame.params.payload is not UNSET]
    if len(payloads) < len(frames):
        return None
    tokens = [frame.params.reply_to for frame in frames]
    return frames if _explain(block, _head_bytes(frames, _REPLY), tokens, payloads) else None


def _head_bytes(frames: Sequence[CompactRequest[Any, Any]], method: bytes) -> int:
    for frame in frames:
        _decode_id(frame.id)
    return len(frames) * len(_REQUEST + method + _END) + sum([len(frame.id) for frame in frames])


def _durable_bytes(messages: Sequence[CompactParams]) -> int:
    return _DURABLE_BYTES * sum([message.durable for message in messages])


def _explain(block: bytes, size: int, texts: Sequence[str], payloads: Sequence[Raw]) -> bool:
    """Whether texts, payloads and `size` bytes beside are every byte of the block, a line each.

    Raises `UnicodeDecodeError` for a block that is not UTF-8.
    """
    size += sum(map(len, payloads))
    if block.isascii():
        size += sum(map(len, texts))
    else:
        block.decode()
        size += sum([len(text.encode()) for text in texts])
    if size != len(block):
        return False
    # White space within a payload is explained too, and a newline there would end a line early.
    together = b"".join(payloads)
    if b"\n" in together:
        return False
    if together.count(b"{") + together.count(b"[") <= MAX_DEPTH - 2:
        return True
    long = [payload for payload in payloads if len(payload) > SHALLOW_BYTES]
    return not any(is_too_deep(bytes(payload), MAX_DEPTH - 2) for payload in long)
