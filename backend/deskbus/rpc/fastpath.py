"""FastPath: messages, requests and their answers without task, dispatcher or logging.

A call that needs a person first, or whose reader is behind, is dispatched as any other.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from typing import Protocol, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus.reliability.work_clock import work_s
from deskbus.rpc import compact_frames
from deskbus.rpc.compact_frames import Ask, BlockKind, CompactParams, Publish, Reply
from deskbus.rpc.dispatch.calls_in_progress import CallsInProgress
from deskbus.rpc.rejection_notices import RejectionNotices
from deskbus.transport.outbox import Outbox
from deskbus_protocol.bus import (
    AckParams,
    PublishParams,
    RequestParams,
    RespondParams,
    SendParams,
    SendResult,
)
from deskbus_protocol.errors import (
    CANCELLED,
    DEGRADED,
    INVALID_PARAMS,
    PERMISSION_DENIED,
    SESSION_REQUIRED,
    DeskbusError,
)
from deskbus_protocol.wire import rpc

PUBLISH = "bus.publish"
ACK = "bus.ack"
RESPOND = "bus.respond"
REQUEST = "bus.request"
SEND = "bus.send"
METHODS = frozenset({PUBLISH, ACK, RESPOND})
"""Served here alone."""

ASKING = frozenset({REQUEST, SEND})
"""Served here where nobody need be asked for a permission."""

RATE_LIMITED_ON_FAST_PATH = frozenset({PUBLISH, RESPOND})

MOST_AT_ONCE = 128
FIRST_AT_ONCE = 32
LEAST_AT_ONCE = 2
LONG_S = 0.0005
QUICK_S = 0.0002
"""Messages are routed in steps, of so many that one takes between these, by how long the last took.

The cost of one depends on how many read it, and on whether its topic is known already.
"""

REQUESTS_A_STEP = 16

DONE: Iterator[bool] = iter(())
"""Nothing is left to be routed."""

NOT_DURABLE = "The message was delivered, but could not be written to disk."

T = TypeVar("T")

OwedAnswer = list[tuple[bytes | Raw, bytes]]
"""The ids of requests that wait for the disk, with the results that they get then."""

Answer = Callable[[bytes], None]
"""Takes the response frame of a request, once; an empty one where none is to be sent."""


Settled = Callable[[bytes | DeskbusError], None]
"""Takes what became of a request, once: its `RequestResult` as JSON, or an error."""

Dispatch = Callable[[str, Raw, bytes, Answer], None]
"""Has a call served by a handler: takes method, params, raw id, and who takes the answer."""


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

    def send(self, params: SendParams) -> SendResult | None:
        """None, with nothing done, where a person may have to be asked; raises `DeskbusError`."""

    def request(self, params: RequestParams, settled: Settled) -> Callable[[], None] | None:
        """Asks, and returns what withdraws the request; `settled` is called once, later.

        None, with nothing done, where a person may have to be asked; raises `DeskbusError`.
        """

    def respond(self, params: RespondParams) -> None:
        """Answers a request; raises `DeskbusError`."""

    def check_durable(self, topic: str) -> None:
        """Raises `DeskbusError` where a message could not be made durable now."""

    def when_durable(self, callback: Callable[[bool], None], topic: str) -> None:
        """Calls back when everything published on `topic` so far is on disk, or can't be."""


_decode_params = msgspec.json.Decoder(PublishParams).decode
_decode_response = msgspec.json.Decoder(RespondParams).decode
_decode_ack = msgspec.json.Decoder(AckParams).decode
_decode_request = msgspec.json.Decoder(RequestParams).decode
_decode_send = msgspec.json.Decoder(SendParams).decode


class Denied(Protocol):
    """Told of a message that was refused for want of a permission, before its sender is."""

    def __call__(
        self, method: str, topic: str, options: PublishParams | None, then: Callable[[], None]
    ) -> None: ...


def _nobody(
    method: str, topic: str, options: PublishParams | None, then: Callable[[], None]
) -> None:
    then()


class FastPath:
    """The fast path of one connection; without a session it refuses every message."""

    def __init__(self, outbox: Outbox, refusals: RejectionNotices, calls: CallsInProgress) -> None:
        self._outbox = outbox
        self._send = outbox.send
        self._publisher: Publisher | None = None
        self._refusals = refusals
        self._calls = calls
        self._denied: Denied = _nobody
        self._metered = False
        self._at_once = FIRST_AT_ONCE

    def open(
        self, publisher: Publisher, denied: Denied = _nobody, *, metered: bool = False
    ) -> None:
        """`metered`: calls are admitted one by one, and never taken here as a block."""
        self._publisher = publisher
        self._denied = denied
        self._metered = metered

    def close(self) -> None:
        """Refuses every message from now on."""
        self._publisher = None
        self._denied = _nobody

    def take(self, block: bytes, dispatch: Dispatch) -> Iterator[bool] | None:
        """Serves the block's frames if all of them are compact, and of one method: at once where
        they are few, or step by step by what it returns. None where they are not.

        A step says whether the next may be in the same turn of the loop.
        """
        if self._publisher is None:
            return None
        kind = compact_frames.kind_of(block)
        try:
            if kind is BlockKind.NOTIFICATIONS:
                return self._take_notifications(block, self._publisher)
            if kind is BlockKind.PUBLISHES:
                return self._in_steps(compact_frames.publishes(block), self._publish_requests)
            if kind is BlockKind.REPLIES:
                return self._in_steps(compact_frames.replies(block), self._respond)
            if kind is BlockKind.ASKS and not self._metered and not self._outbox.slow:
                requests = compact_frames.asks(block)
                return self._in_steps(requests, partial(self._ask_each, dispatch))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            # Nothing was routed yet; the careful way finds out what is wrong.
            pass
        return None

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

    def ask_one(self, method: str, params: Raw, request_id: bytes, answer: Answer) -> bool:
        """Serves one frame of `ASKING`; false, with nothing done, where it has to be dispatched."""
        publisher = self._publisher
        if publisher is None or self._outbox.slow:
            return False
        try:
            if method == REQUEST:
                return self._ask(_decode_request(params), request_id, publisher, answer)
            sent = publisher.send(_decode_send(params))
            if sent is not None and request_id:
                answer(rpc.success(request_id, sent))
            return sent is not None
        except msgspec.MsgspecError as error:
            refusal = DeskbusError(INVALID_PARAMS, f"{method}: {error}")
            self._refuse(method, refusal, "", request_id, answer)
        except DeskbusError as error:
            self._refuse(method, error, "", request_id, answer)
        return True

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

    def _take_notifications(self, block: bytes, publisher: Publisher) -> Iterator[bool] | None:
        found = compact_frames.notifications(block)
        if found is None:
            return None
        messages, has_traced = found
        if len(messages) > self._at_once:
            return self._route(messages, has_traced=has_traced)
        if has_traced:
            self._publish_traced(messages, publisher)
        else:
            publisher.publish_plain(messages, self._refuse_notification)
        return DONE

    def took(self, seconds: float) -> float:
        """Takes word of how long messages took that were routed at once, and gives it back."""
        if seconds > LONG_S:
            self._at_once = max(self._at_once // 2, LEAST_AT_ONCE)
        return seconds

    def _route(self, messages: Sequence[CompactParams], *, has_traced: bool) -> Iterator[bool]:
        first = 0
        while first < len(messages):
            part = messages[first : first + self._at_once]
            first += len(part)
            began_s = work_s()
            if self._publisher is None:
                for message in part:
                    self._refuse_notification(DeskbusError(SESSION_REQUIRED), message.topic)
            elif has_traced:
                self._publish_traced(part, self._publisher)
            else:
                self._publisher.publish_plain(part, self._refuse_notification)
            if self.took(work_s() - began_s) < QUICK_S:
                self._at_once = min(self._at_once * 2, MOST_AT_ONCE)
            yield True

    def _publish_traced(self, messages: Sequence[CompactParams], publisher: Publisher) -> None:
        """Publishes messages of which some have a trace context, the others in blocks."""
        first = 0
        for at in [at for at, message in enumerate(messages) if message.meta is not UNSET]:
            if at > first:
                publisher.publish_plain(messages[first:at], self._refuse_notification)
            self._publish(_with_options(messages[at]), b"", publisher, self._send)
            first = at + 1
        if first < len(messages):
            publisher.publish_plain(messages[first:], self._refuse_notification)

    def _in_steps(
        self, requests: Sequence[T] | None, serve: Callable[[Iterator[T]], bool]
    ) -> Iterator[bool] | None:
        if requests is None:
            return None
        waiting = iter(requests)
        is_short = len(requests) <= REQUESTS_A_STEP
        if is_short and serve(waiting):
            return DONE
        return self._go_on(waiting, serve, at_once=not is_short)

    @staticmethod
    def _go_on(
        waiting: Iterator[T], serve: Callable[[Iterator[T]], bool], *, at_once: bool
    ) -> Iterator[bool]:
        if not at_once:
            yield False
        for each in waiting:
            yield serve(chain((each,), islice(waiting, REQUESTS_A_STEP - 1)))

    def _publish_requests(self, requests: Iterator[Publish]) -> bool:
        owed: dict[str, OwedAnswer] = {}
        for request in requests:
            self._publish_request(request, owed)
        if self._publisher is not None:
            for topic, answers in owed.items():
                self._publisher.when_durable(partial(self._settle, answers, self._send), topic)
        return True

    def _respond(self, replies: Iterator[Reply]) -> bool:
        for reply in replies:
            try:
                if self._publisher is None:
                    raise DeskbusError(SESSION_REQUIRED)
                self._publisher.respond(reply.params)
            except DeskbusError as error:
                self._refuse(RESPOND, error, "", reply.id, self._send)
            else:
                self._send(_success(reply.id, b"{}"))
        return True

    def _ask_each(self, dispatch: Dispatch, requests: Iterator[Ask]) -> bool:
        """Asks until one has to be dispatched, which is to begin before the next; says whether
        none had to be.
        """
        for request in requests:
            request_id = bytes(request.id)
            try:
                if self._publisher is None:
                    raise DeskbusError(SESSION_REQUIRED)
                taken = not self._outbox.slow and self._ask(
                    request.params, request_id, self._publisher, self._send
                )
            except DeskbusError as error:
                self._refuse(REQUEST, error, "", request_id, self._send)
            else:
                if not taken:
                    params = Raw(rpc.encode(request.params))
                    dispatch(REQUEST, params, request_id, self._send)
                    return False
        return True

    def _ask(
        self, params: RequestParams, request_id: bytes, publisher: Publisher, answer: Answer
    ) -> bool:
        size = len(params.topic) + len(params.payload)
        refusal = self._calls.refusal(request_id, size)
        if refusal is not None:
            raise refusal
        call = _AskedCall(request_id, answer, self._refusals)
        withdraw = publisher.request(params, call.settle)
        if withdraw is None:
            return False
        call.begun(withdraw, self._calls.add(request_id, size, call))
        return True

    def _publish_request(
        self,
        request: Publish,
        owed: dict[str, OwedAnswer],
    ) -> None:
        """Routes one message and answers it; a durable one is added to what its topic is owed."""

        def refuse(error: DeskbusError, topic: str) -> None:
            self._refuse(PUBLISH, error, topic, request.id, self._send)

        params, publisher = request.params, self._publisher
        if publisher is None:
            refuse(DeskbusError(SESSION_REQUIRED), params.topic)
            return
        if params.meta is not UNSET:
            self._publish(_with_options(params), bytes(request.id), publisher, self._send)
            return
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


def _with_options(params: CompactParams) -> PublishParams:
    return PublishParams(
        topic=params.topic, payload=params.payload, durable=params.durable, meta=params.meta
    )


def _success(request_id: bytes | Raw, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request_id, result)


class _AskedCall:
    """A `bus.request` that waits for its answer."""

    __slots__ = ("_answer", "_ended", "_refusals", "_request_id", "_withdraw")

    def __init__(self, request_id: bytes, answer: Answer, refusals: RejectionNotices) -> None:
        self._request_id = request_id
        self._answer = answer
        self._refusals = refusals

    def begun(self, withdraw: Callable[[], None], ended: Callable[[], None]) -> None:
        self._withdraw: Callable[[], None] | None = withdraw
        self._ended: Callable[[], None] | None = ended

    def cancel(self) -> None:
        if self._withdraw is not None:
            self._withdraw()
            self.settle(DeskbusError(CANCELLED))

    def settle(self, outcome: bytes | DeskbusError) -> None:
        if self._ended is not None:
            self._ended()
        # No part of a call that has ended waits for the garbage collector.
        self._withdraw = self._ended = None
        if isinstance(outcome, bytes):
            if self._request_id:
                self._answer(_success(self._request_id, outcome))
        elif self._request_id:
            self._answer(self._refusals.errors.failure(self._request_id, outcome))
        else:
            self._refusals.add(REQUEST, outcome)
