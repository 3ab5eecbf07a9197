"""PublishFastPath: publishes, answers and acks without task, dispatcher or logging.

A read's whole frames are decoded in one call. The frames of an honest, compact sender are exactly
as long as their parts, which proves that no key is repeated and nothing is left out; any other
block goes the careful way, frame by frame.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol

import msgspec
from msgspec import Raw, UnsetType

from deskbus.rpc.frames import RequestId
from deskbus.rpc.rejection_notices import RejectionNotices
from deskbus_protocol.bus import AckParams, PublishParams, RespondParams
from deskbus_protocol.errors import (
    DEGRADED,
    INVALID_PARAMS,
    PERMISSION_DENIED,
    SESSION_REQUIRED,
    DeskbusError,
)
from deskbus_protocol.jsontext import MAX_DEPTH, is_too_deep

PUBLISH = "bus.publish"
ACK = "bus.ack"
RESPOND = "bus.respond"
METHODS = frozenset({PUBLISH, ACK, RESPOND})
RATE_LIMITED_ON_FAST_PATH = frozenset({PUBLISH, RESPOND})

SHALLOW_BYTES = 2 * (MAX_DEPTH - 2)
"""Text this short can't be nested too deep: each level takes two bytes, the envelope two levels."""

_NOTIFICATION = b'{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"'
_REQUEST = b'{"jsonrpc":"2.0","id":'
_PUBLISH = b',"method":"bus.publish","params":{"topic":"'
_REQUEST_HEAD_BYTES = 160
_NOTIFICATION_BYTES = len(_NOTIFICATION + b'","payload":}}\n')
_REQUEST_BYTES = len(_REQUEST + _PUBLISH + b'","payload":}}\n')
_DURABLE_BYTES = len(b',"durable":true')

NOT_DURABLE = "The message was delivered, but could not be written to disk."

OwedAnswer = list[tuple[bytes | Raw, bytes]]
"""The ids of requests that wait for the disk, with the results that they get then."""

Answer = Callable[[bytes], None]
"""Takes the response frame of a request, once; an empty one where none is to be sent."""


class CompactParams(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """The parameters of nearly every publish."""

    topic: str
    payload: Raw
    durable: bool = False


class CompactNotification(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    jsonrpc: Literal["2.0"]
    method: Literal["bus.publish"]
    params: CompactParams


class CompactRequest(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    jsonrpc: Literal["2.0"]
    id: Raw
    method: Literal["bus.publish"]
    params: CompactParams


class Published(Protocol):
    """The routing result of a message, for a sender that waits for it."""

    def result(self) -> bytes:
        """`PublishResult` as JSON."""


class Publisher(Protocol):
    """Routes the messages of one client."""

    def publish_plain(
        self, messages: Sequence[CompactParams], refuse: Callable[[DeskbusError, str], None]
    ) -> Published | None:
        """Routes messages in order; returns what became of the last."""

    def publish(self, topic: str, payload: Raw, options: PublishParams) -> Published:
        """Raises `DeskbusError`."""

    def acknowledge(self, topic: str, seqs: list[int], epoch: str) -> None:
        """Takes messages off the list, of this run of the backend where `epoch` is empty."""

    def respond(self, params: RespondParams) -> None:
        """Answers a request; raises `DeskbusError`."""

    def check_durable(self, topic: str) -> None:
        """Raises `DeskbusError` where a message could not be made durable now."""

    def when_durable(self, callback: Callable[[bool], None], topic: str) -> None:
        """Calls back when everything published on `topic` so far is on disk, or can't be."""


_decode_notifications = msgspec.json.Decoder(CompactNotification).decode_lines
_decode_requests = msgspec.json.Decoder(CompactRequest).decode_lines
_decode_params = msgspec.json.Decoder(PublishParams).decode
_decode_response = msgspec.json.Decoder(RespondParams).decode
_decode_ack = msgspec.json.Decoder(AckParams).decode
_decode_id = msgspec.json.Decoder(RequestId).decode


class Denied(Protocol):
    """Told of a message that was refused for want of a permission, before its sender is."""

    def __call__(
        self, method: str, topic: str, options: PublishParams | None, then: Callable[[], None]
    ) -> None: ...


def _nobody(
    method: str, topic: str, options: PublishParams | None, then: Callable[[], None]
) -> None:
    then()


class PublishFastPath:
    """The fast path of one connection; without a session it refuses every message."""

    def __init__(self, send: Callable[[bytes], None], refusals: RejectionNotices) -> None:
        self._send = send
        self._publisher: Publisher | None = None
        self._refusals = refusals
        self._denied: Denied = _nobody

    def open(self, publisher: Publisher, denied: Denied = _nobody) -> None:
        self._publisher = publisher
        self._denied = denied

    def close(self) -> None:
        """From now on every message is refused."""
        self._publisher = None
        self._denied = _nobody

    def take(self, block: bytes) -> bool:
        """Routes the block's frames if all of them are compact publishes; says whether it did."""
        if self._publisher is None:
            return False
        try:
            if block.startswith(_NOTIFICATION):
                return self._take_notifications(block, self._publisher)
            if block.startswith(_REQUEST) and _PUBLISH in block[:_REQUEST_HEAD_BYTES]:
                return self._take_requests(block, self._publisher)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            # Nothing was routed yet; the careful way finds out what is wrong.
            pass
        return False

    def take_one(self, method: str, params: Raw, request_id: bytes, answer: Answer) -> None:
        """Serves one frame of `METHODS` that was read the careful way."""
        try:
            if self._publisher is None:
                raise DeskbusError(SESSION_REQUIRED)
            if method == ACK:
                read = _decode_ack(params)
                epoch = "" if isinstance(read.epoch, UnsetType) else read.epoch
                self._publisher.acknowledge(read.topic, read.seqs, epoch)
                self._done(request_id, answer)
            elif method == RESPOND:
                self._publisher.respond(_decode_response(params))
                self._done(request_id, answer)
            else:
                self._publish(_decode_params(params), request_id, self._publisher, answer)
        except msgspec.MsgspecError as error:
            refusal = DeskbusError(INVALID_PARAMS, f"{method}: {error}")
            self._refuse(method, refusal, "", request_id, answer)
        except DeskbusError as error:
            self._refuse(method, error, "", request_id, answer)

    @staticmethod
    def _done(request_id: bytes, answer: Answer) -> None:
        if request_id:
            answer(_success(request_id, b"{}"))

    def _publish(
        self, params: PublishParams, request_id: bytes, publisher: Publisher, answer: Answer
    ) -> None:
        try:
            if params.durable:
                publisher.check_durable(params.topic)
            result = publisher.publish(params.topic, params.payload, params).result()
        except DeskbusError as error:
            self._refuse(PUBLISH, error, params.topic, request_id, answer, params)
            return
        if not request_id:
            return
        if params.durable:
            settle = partial(self._settle, [(request_id, result)], answer)
            publisher.when_durable(settle, params.topic)
        else:
            answer(_success(request_id, result))

    def _take_notifications(self, block: bytes, publisher: Publisher) -> bool:
        messages = [frame.params for frame in _decode_notifications(block)]
        if not _is_compact(messages, block, len(messages) * _NOTIFICATION_BYTES):
            return False
        publisher.publish_plain(messages, self._refuse_notification)
        return True

    def _take_requests(self, block: bytes, publisher: Publisher) -> bool:
        requests = _decode_requests(block)
        for request in requests:
            _decode_id(request.id)
        head_bytes = len(requests) * _REQUEST_BYTES + sum(len(frame.id) for frame in requests)
        if not _is_compact([frame.params for frame in requests], block, head_bytes):
            return False
        owed: dict[str, OwedAnswer] = {}
        for request in requests:
            self._publish_request(request, publisher, owed)
        for topic, answers in owed.items():
            publisher.when_durable(partial(self._settle, answers, self._send), topic)
        return True

    def _publish_request(
        self,
        request: CompactRequest,
        publisher: Publisher,
        owed: dict[str, OwedAnswer],
    ) -> None:
        """Routes one message and answers it; a durable one is added to what its topic is owed."""

        def refuse(error: DeskbusError, topic: str) -> None:
            self._refuse(PUBLISH, error, topic, request.id, self._send)

        params = request.params
        if params.durable:
            try:
                publisher.check_durable(params.topic)
            except DeskbusError as error:
                refuse(error, params.topic)
                return
        routed = publisher.publish_plain((params,), refuse)
        if routed is None:
            return
        if params.durable:
            owed.setdefault(params.topic, []).append((request.id, routed.result()))
        else:
            self._send(_success(request.id, routed.result()))

    def _settle(self, owed: OwedAnswer, answer: Answer, durable: bool) -> None:
        """Answers requests that waited for the disk."""
        for request_id, result in owed:
            if durable:
                answer(_success(request_id, result))
            else:
                error = DeskbusError(DEGRADED, NOT_DURABLE)
                answer(self._refusals.errors.failure(request_id, error))

    def _refuse_notification(self, error: DeskbusError, topic: str) -> None:
        self._refuse(PUBLISH, error, topic, b"", self._send)

    def _refuse(
        self,
        method: str,
        error: DeskbusError,
        topic: str,
        request_id: bytes | Raw,
        answer: Answer,
        options: PublishParams | None = None,
    ) -> None:
        def tell() -> None:
            if len(request_id):
                answer(self._refusals.errors.failure(request_id, error))
            else:
                self._refusals.add(method, error, topic)

        if error.kind is PERMISSION_DENIED:
            self._denied(method, topic, options, tell)
        else:
            tell()


def _success(request_id: bytes | Raw, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request_id, result)


def _is_compact(messages: list[CompactParams], block: bytes, head_bytes: int) -> bool:
    """Whether heads, topics and payloads explain every byte of the block, a line each.

    Raises `UnicodeDecodeError` for a block that is not UTF-8.
    """
    payloads = [message.payload for message in messages]
    size = head_bytes + sum(map(len, payloads))
    if block.isascii():
        size += sum([len(message.topic) for message in messages])
    else:
        block.decode()
        size += sum([len(message.topic.encode()) for message in messages])
    size += _DURABLE_BYTES * sum([message.durable for message in messages])
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
