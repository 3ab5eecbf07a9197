"""The direct lane of `bus.publish`: no task, no await, no dispatcher, no logging per message.

A read's whole frames are decoded in one call. The frames of an honest, compact sender are exactly
as long as their parts, which proves that no key is repeated and nothing is left out; any other
block goes the careful way, frame by frame.
"""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus.rpc.frames import MAX_DEPTH, RequestId, is_too_deep
from deskbus_protocol import rpc
from deskbus_protocol.bus import PublishParams, RefusedParams
from deskbus_protocol.errors import INVALID_PARAMS, SESSION_REQUIRED, DeskbusError

METHOD = "bus.publish"
REFUSAL_INTERVAL_S = 1.0
MAX_REFUSED_TOPICS = 100
SHALLOW_BYTES = 2 * (MAX_DEPTH - 2)
"""Text this short can't be nested too deep: each level takes two bytes, the envelope two levels."""

_COMPACT = b'{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"","payload":}}\n'
_COMPACT_ID = b',"id":'


class Published(Protocol):
    """What routing made of a message, for the sender that wants to know."""

    def result(self) -> bytes:
        """`PublishResult` as JSON."""


class CompactParams(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    topic: str
    payload: Raw


class CompactFrame(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A whole publish frame without options, as nearly all are."""

    jsonrpc: Literal["2.0"]
    method: Literal["bus.publish"]
    params: CompactParams
    id: Raw | UnsetType = UNSET


Answer = Callable[[bytes], None]
"""Takes the response frame of a request, once; an empty one where none is to be sent."""

Publish = Callable[[str, Raw, PublishParams | None], Published]
"""Routes a payload on a topic, with the options of the third; raises `DeskbusError`."""

_decode_lines = msgspec.json.Decoder(CompactFrame).decode_lines
_decode_params = msgspec.json.Decoder(PublishParams).decode
_decode_id = msgspec.json.Decoder(RequestId).decode


class Lane:
    """The lane of one connection."""

    method = METHOD

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._publish: Publish = _without_session
        self._refusals = Refusals(send)

    def open(self, publish: Publish) -> None:
        """Lets messages through; before, each is refused for want of a session."""
        self._publish = publish

    def take(self, block: bytes) -> bool:
        """Routes the block's frames if all of them are compact publishes; says whether it did."""
        if not block.startswith(b'{"jsonrpc":"2.0",') or b"bus.publish" not in block[:80]:
            return False
        try:
            published = _decode_lines(block)
            if not _is_compact(published, block):
                return False
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return False
        publish = self._publish
        for frame in published:
            try:
                routed = publish(frame.params.topic, frame.params.payload, None)
            except DeskbusError as error:
                self._refuse(error, frame.params.topic, frame.id, self._send)
            else:
                if frame.id is not UNSET:
                    self._answer(frame.id, routed, self._send)
        return True

    def take_one(self, params: Raw, request_id: bytes, answer: Answer) -> None:
        """Routes one frame that was read the careful way."""
        raw_id = Raw(request_id) if request_id else UNSET
        topic = ""
        try:
            decoded = _decode_params(params)
            topic = decoded.topic
            routed = self._publish(topic, decoded.payload, decoded)
        except msgspec.MsgspecError as error:
            self._refuse(DeskbusError(INVALID_PARAMS, f"{METHOD}: {error}"), topic, raw_id, answer)
        except DeskbusError as error:
            self._refuse(error, topic, raw_id, answer)
        else:
            if raw_id is not UNSET:
                self._answer(raw_id, routed, answer)

    def _answer(self, request_id: Raw, routed: Published, answer: Answer) -> None:
        answer(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request_id, routed.result()))

    def _refuse(
        self, error: DeskbusError, topic: str, request_id: Raw | UnsetType, answer: Answer
    ) -> None:
        if isinstance(request_id, UnsetType):
            self._refusals.add(error, topic)
        else:
            answer(rpc.failure(request_id, error))


class Refusals:
    """Tells a sender about refused notifications: the first at once, more once a second."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._counts: dict[tuple[str, str], tuple[DeskbusError, int]] = {}
        self._quiet: asyncio.TimerHandle | None = None

    def add(self, error: DeskbusError, topic: str) -> None:
        if len(self._counts) < MAX_REFUSED_TOPICS:
            key = (error.kind.name, topic)
            _, count = self._counts.get(key, (error, 0))
            self._counts[key] = (error, count + 1)
        if self._quiet is None:
            self._tell()

    def _tell(self) -> None:
        self._quiet = None
        if not self._counts:
            return
        counts, self._counts = self._counts, {}
        for (_, topic), (error, count) in counts.items():
            word = RefusedParams(
                method=METHOD,
                code=error.kind.code,
                message=error.message,
                action=error.action,
                count=count,
                topic=topic or UNSET,
            )
            self._send(rpc.notification("bus.refused", word))
        loop = asyncio.get_running_loop()
        self._quiet = loop.call_later(REFUSAL_INTERVAL_S, self._tell)


def _without_session(_topic: str, _payload: Raw, _options: PublishParams | None) -> Published:
    raise DeskbusError(SESSION_REQUIRED)


def _is_compact(published: list[CompactFrame], block: bytes) -> bool:
    """Whether the frames' parts explain every byte of the block, and none is nested too deep.

    Raises `UnicodeDecodeError` for a block that is not UTF-8.
    """
    ascii_only = block.isascii()
    if not ascii_only:
        block.decode()
    size = len(_COMPACT) * len(published)
    for frame in published:
        params = frame.params
        topic, payload_bytes = params.topic, len(params.payload)
        size += payload_bytes + (len(topic) if ascii_only else len(topic.encode()))
        if payload_bytes > SHALLOW_BYTES and is_too_deep(bytes(params.payload), MAX_DEPTH - 2):
            return False
        if not isinstance(frame.id, UnsetType):
            _decode_id(frame.id)
            size += len(_COMPACT_ID) + len(frame.id)
    return size == len(block)
