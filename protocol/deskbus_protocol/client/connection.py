"""One connection to the backend's pipe."""

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from math import inf
from typing import Any, Literal, overload

import anyio
import msgspec
from anyio.abc import ByteStream, TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from msgspec import UNSET, Raw, UnsetType

from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.bus import (
    MAX_FAULT_CHARACTERS,
    REQUEST_PATIENCE_MS,
    ContinuedParams,
    GapParams,
    MessageParams,
    Mode,
    PublishResult,
    RefusedParams,
    RequestResult,
    RespondParams,
    ResponseFault,
    SendResult,
    Source,
)
from deskbus_protocol.client.client_tracer import ClientTracer
from deskbus_protocol.client.handed_credentials import handed_credentials
from deskbus_protocol.client.inbox import Inbox, Message
from deskbus_protocol.client.pipe import open_pipe
from deskbus_protocol.client.responder import RespondingClient
from deskbus_protocol.errors import (
    CONNECTION_LOST,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    NOT_FOUND,
    TIMEOUT,
    TOO_LARGE,
    DeskbusError,
    ErrorObject,
)
from deskbus_protocol.history import ReplayResult
from deskbus_protocol.session import OpenResult
from deskbus_protocol.traces import MAX_RECORDED, RecordSpansParams
from deskbus_protocol.wire import rpc
from deskbus_protocol.wire.encoding import Encoding, decode, encode, is_available
from deskbus_protocol.wire.framing import (
    MAX_DELIVERED_FRAME_BYTES,
    EncodedFramingDecoder,
    FramingLostError,
    LineDecoder,
)
from deskbus_protocol.wire.jsontext import encoded, sayable, sendable

RECEIVE_BYTES = 256 * 1024
TELL_AFTER_S = 0.2
"""How long spans of the client wait for others, to be told together."""

WRITE_WITHIN_S = 5.0
"""The time that a backend has to take a frame whose sender waits for it no longer. Then the
connection is closed: behind half a frame nothing could follow.
"""

UNTRACED = ("session.", "traces.")
"""Prefixes of calls that are not traced: sessions, and the reports of traces themselves."""

FrameHook = Callable[[str, bytes], None]
"""Sees every frame, as ("sent" or "received", its bytes); for logs and schema checks."""


class _IncomingFrame(msgspec.Struct):
    """Any frame that the backend sends."""

    method: str | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: ErrorObject | UnsetType | None = UNSET


class Client(RespondingClient):
    """One connection, used by any number of tasks; closing it wakes every waiter."""

    def __init__(
        self,
        stream: ByteStream,
        on_frame: FrameHook | None = None,
        *,
        inbox: Inbox | None = None,
        encodings: Sequence[Encoding] = (),
    ) -> None:
        """An `inbox` that is given outlives the connection. Long frames are compressed in the first
        of `encodings` that the backend allows; those whose library is missing are not offered.
        """
        self._stream = stream
        self._on_frame = on_frame
        offered = [each for each in encodings if is_available(each)]
        self.terms: dict[str, object] = {"samples": True}
        """The parameters that tell of this client where a session is opened or resumed."""
        self._encoding: Encoding | None = None
        lines = LineDecoder(MAX_DELIVERED_FRAME_BYTES)
        self._decoder: LineDecoder | EncodedFramingDecoder = lines
        if offered:
            self.terms["encodings"] = offered
            self._decoder = EncodedFramingDecoder(lines, MAX_DELIVERED_FRAME_BYTES)
        self._incoming = msgspec.json.Decoder(_IncomingFrame)
        self._messages = msgspec.json.Decoder(MessageParams)
        self._send_lock = anyio.Lock()
        self._next_id = 0
        self._tasks: TaskGroup | None = None
        self._waiting: dict[int, MemoryObjectSendStream[Raw | DeskbusError]] = {}
        self._inbox = inbox or Inbox()
        self._owns_inbox = inbox is None
        self._tracer: ClientTracer | None = None
        self._handlers: dict[str, Callable[[Raw], Awaitable[object]]] = {}
        self._observers: dict[str, Callable[[Raw], None]] = {}
        self.closed = anyio.Event()
        self.on_refused: Callable[[RefusedParams], None] | None = None
        self.on_gap: Callable[[GapParams], None] | None = None
        self.on_continued: Callable[[str], None] | None = None
        self.heard_at = anyio.current_time()

    async def call(
        self, method: str, params: object = None, *, result: type[Any] = Raw, timeout_s: float = inf
    ) -> Any:
        """Calls `method` and returns its result as `result`.

        Raises `DeskbusError`: the backend's, timeout, connection_lost, and invalid_params or
        too_large for what the backend would refuse unread. A cancelled call is
        cancelled at the backend too.
        """
        with self._step(method, params) as given:
            return await self._call(method, given, result, timeout_s)

    async def _call(self, method: str, params: object, result: type[Any], timeout_s: float) -> Any:
        self._next_id += 1
        request_id = self._next_id
        answers, answer = anyio.create_memory_object_stream[Raw | DeskbusError](1)
        self._waiting[request_id] = answers
        try:
            given = {} if params is None else params
            frame = sendable(lambda: rpc.request(method, given, request_id))
            with anyio.move_on_after(timeout_s):
                await self._send(frame)
                return self._decode(await answer.receive(), result)
            await self._cancel(request_id)
            raise DeskbusError(TIMEOUT)
        except anyio.get_cancelled_exc_class():
            await self._cancel(request_id)
            raise
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise DeskbusError(CONNECTION_LOST) from None
        finally:
            self._waiting.pop(request_id, None)
            answers.close()
            answer.close()

    async def notify(self, method: str, params: object) -> None:
        """Raises `DeskbusError`: connection_lost, invalid_params, too_large."""
        try:
            with self._step(method, params) as given:
                await self._send(sendable(lambda: rpc.notification(method, given)))
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise DeskbusError(CONNECTION_LOST) from None

    def agree(self, opened: OpenResult) -> None:
        """Applies the session's terms for tracing and compression."""
        if not isinstance(opened.tracing, UnsetType):
            self._tracer = ClientTracer(opened.tracing, self._tell_steps_soon)
        if not isinstance(opened.encoding, UnsetType):
            self._encoding = opened.encoding

    @contextmanager
    def handling(self, message: Message) -> Iterator[None]:
        """A block that handles a message, as a step of the trace that the message carries.

        Calls and publishes within it belong to that trace.
        """
        meta = message.meta
        carried = UNSET if isinstance(meta, UnsetType) else meta.traceparent
        if self._tracer is None or isinstance(carried, UnsetType):
            yield
            return
        topic = message.topic
        with self._tracer.step(f"handle {topic}", "consumer", topic, behind=carried):
            yield

    async def end_session(self) -> None:
        """Ends the session for good: the backend keeps nothing for this client.

        Without it, what is published meanwhile waits for a client that comes back.
        """
        await self._tell_steps()
        await self.call("session.leave")

    @overload
    async def publish(
        self, topic: str, payload: object, *, confirm: Literal[False] = False, **options: object
    ) -> None: ...
    @overload
    async def publish(
        self, topic: str, payload: object, *, confirm: Literal[True], **options: object
    ) -> PublishResult: ...
    async def publish(
        self, topic: str, payload: object, *, confirm: bool = False, **options: object
    ) -> PublishResult | None:
        """Publishes; a refusal comes through `on_refused`. With `confirm` it returns once the
        message is routed, and raises the refusal; with `durable` too, once it is on disk.

        Options are `PublishParams` fields. Raises `DeskbusError`.
        """
        params = {"topic": topic, "payload": payload, **options}
        if not confirm:
            if options.get("durable"):
                raise DeskbusError(INVALID_PARAMS, "A durable publish needs confirm.")
            await self.notify("bus.publish", params)
            return None
        answer: PublishResult = await self.call("bus.publish", params, result=PublishResult)
        return answer

    async def post(self, topic: str, payload: object, **options: object) -> None:
        """Deprecated: `publish` without `confirm`."""
        warnings.warn("post is now publish", DeprecationWarning, stacklevel=2)
        await self.publish(topic, payload, confirm=False, **options)

    async def send(
        self,
        app: str,
        topic: str,
        payload: object,
        *,
        client: str | None = None,
        headers: Mapping[str, str] | None = None,
        correlation_id: str | None = None,
    ) -> SendResult:
        """Sends to the clients of one app that subscribed to the topic, or to one `client`."""
        chosen = {"client": client, "headers": headers, "correlationId": correlation_id}
        params = {"app": app, "topic": topic, "payload": payload}
        params |= {name: value for name, value in chosen.items() if value is not None}
        answer: SendResult = await self.call("bus.send", params, result=SendResult)
        return answer

    async def request(self, topic: str, payload: object, **options: object) -> RequestResult:
        """Asks the subscribers of `topic`; the first answer comes back. Its option `timeout` (ms)
        is the longest wait, also for a person who is asked.
        """
        params = {"topic": topic, "payload": payload, **options}
        answer: RequestResult = await self.call(
            "bus.request", params, result=RequestResult, timeout_s=patience_s(options)
        )
        return answer

    async def _responders(self) -> TaskGroup:
        if self._tasks is None or self.closed.is_set():
            raise DeskbusError(CONNECTION_LOST)
        return self._tasks

    async def answer(
        self, message: Message, payload: object = None, *, error: str | None = None
    ) -> None:
        """Answers a message that carries `reply_to`.

        Raises `DeskbusError`; where the payload can't be sent, the asking app is told so at once.
        """
        reply_to = message.reply_to or ""
        fault = UNSET if error is None else ResponseFault(sayable(error, MAX_FAULT_CHARACTERS))
        try:
            body = UNSET if error is not None else encoded(payload)
            answer = RespondParams(reply_to=reply_to, payload=body, error=fault)
            await self.call("bus.respond", msgspec.to_builtins(answer, builtin_types=(Raw,)))
        except DeskbusError as failed:
            if failed.kind in (INVALID_PARAMS, TOO_LARGE) and error is None:
                await self.answer(message, error="The answer could not be sent.")
            raise

    @asynccontextmanager
    async def subscribe(
        self,
        pattern: str,
        *,
        mode: Mode = "live",
        sources: Sequence[Source] = (),
        buffer: float = inf,
    ) -> AsyncIterator[MemoryObjectReceiveStream[Message]]:
        """Subscribes for the length of a `with` block, whose value is the stream of messages.

        With `sources` only messages of these senders come: of an app, or of one of its clients. In
        mode `acknowledged` each message comes again until `acknowledge` is called with it. While
        `buffer` messages wait to be read, nothing is taken from the connection, answers included: a
        reader that calls something needs a buffer without a limit.
        """
        with self._inbox.open(pattern, buffer, mode=mode, sources=sources) as messages:
            refused = False
            try:
                try:
                    await self.call("bus.subscribe", self._inbox.wish(pattern))
                except DeskbusError:
                    refused = True
                    raise
                yield messages
            finally:
                # One that was cancelled may stand all the same.
                if not refused and self._inbox.readers(pattern) == 1:
                    await self.leave(pattern)

    @asynccontextmanager
    async def listen(
        self, pattern: str, *, buffer: float = inf
    ) -> AsyncIterator[MemoryObjectReceiveStream[Message]]:
        """The stream of what arrives on a pattern, whoever subscribed to it.

        For subscriptions that were resumed, and for replay.
        """
        with self._inbox.open(pattern, buffer) as messages:
            yield messages

    async def acknowledge(self, message: Message) -> None:
        """Tells that a message of an acknowledged subscription need not come again."""
        await self.notify(
            "bus.ack", {"topic": message.topic, "seqs": [message.seq], "epoch": message.epoch}
        )

    async def replay(self, pattern: str, *, since_ms: int = 0, follow: bool = False) -> int:
        """Has persisted messages sent again to those who `listen`; returns their number."""
        params = {"pattern": pattern, "since": since_ms, "follow": follow}
        answer: ReplayResult = await self.call("bus.replay", params, result=ReplayResult)
        return answer.messages

    def handle(self, method: str, handler: Callable[[Raw], Awaitable[object]]) -> None:
        """Lets `handler` answer the backend's calls of `method`."""
        self._handlers[method] = handler

    def observe(self, method: str, observer: Callable[[Raw], None]) -> None:
        """Lets `observer` see the backend's notifications of `method`."""
        self._observers[method] = observer

    @contextmanager
    def _step(self, method: str, params: object) -> Iterator[object]:
        """The parameters, with the context of a step where the call is one that is sampled."""
        tracer = self._tracer
        if tracer is None or method.startswith(UNTRACED) or not isinstance(params, dict | None):
            yield params
            return
        given = params or {}
        if "_meta" in given:
            yield given
            return
        topic = given.get("topic")
        about = topic if isinstance(topic, str) else None
        name = method if about is None else f"{method} {about}"
        with tracer.step(name, "client", about) as traceparent:
            yield given if traceparent is None else {**given, "_meta": {"traceparent": traceparent}}

    def _tell_steps_soon(self) -> None:
        async def tell() -> None:
            await anyio.sleep(TELL_AFTER_S)
            await self._tell_steps()

        if self._tasks is not None and not self.closed.is_set():
            self._tasks.start_soon(tell)

    async def _tell_steps(self) -> None:
        with suppress(DeskbusError):
            while self._tracer is not None and (spans := self._tracer.take(MAX_RECORDED)):
                await self.notify("traces.record", RecordSpansParams(spans=spans))

    async def run(self) -> None:
        """Reads until the connection ends."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                while True:
                    block = self._cut(await self._stream.receive(RECEIVE_BYTES))
                    if self._decoder.take_refused():
                        # No backend sends such a frame, and nobody could tell what it was.
                        raise anyio.BrokenResourceError
                    self.heard_at = anyio.current_time()
                    for line in block.split(b"\n")[:-1]:
                        await self._receive(line, tasks)
        except* (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        finally:
            self._close()

    def _cut(self, arrived: bytes) -> bytes:
        """The whole lines among what arrived, decompressed; raises `BrokenResourceError`."""
        decoder = self._decoder
        if isinstance(decoder, LineDecoder):
            return decoder.feed(arrived)
        try:
            blocks = [decoder.feed(arrived)]
            while decoder.encoded is not None:
                blocks += (decode(decoder.encoded, MAX_DELIVERED_FRAME_BYTES), b"\n")
                blocks.append(decoder.go_on())
        except (FramingLostError, DeskbusError):
            raise anyio.BrokenResourceError from None
        return b"".join(blocks)

    async def aclose(self) -> None:
        self._close()
        await self._stream.aclose()

    async def _receive(self, line: bytes, tasks: anyio.abc.TaskGroup) -> None:
        if self._on_frame:
            self._on_frame("received", line)
        frame = self._incoming.decode(line)
        if isinstance(frame.method, UnsetType):
            self._settle(frame)
        elif frame.method == "bus.message":
            await self._inbox.deliver(self._messages.decode(_raw(frame.params)))
        elif frame.id is not UNSET:
            tasks.start_soon(self._answer, frame.method, _raw(frame.params), _raw(frame.id))
        else:
            self._notice(frame.method, _raw(frame.params))

    def _settle(self, frame: _IncomingFrame) -> None:
        if isinstance(frame.id, UnsetType):
            return
        request_id = msgspec.json.decode(frame.id)
        if request_id is None and isinstance(frame.error, ErrorObject):
            self._tell_refused(DeskbusError.from_object(frame.error))
        waiter = self._waiting.get(request_id) if isinstance(request_id, int) else None
        if waiter is None:
            return
        failed = isinstance(frame.error, ErrorObject)
        waiter.send_nowait(
            DeskbusError.from_object(frame.error)  # type: ignore[arg-type]
            if failed
            else _raw(frame.result)
        )

    def _tell_refused(self, error: DeskbusError) -> None:
        """A frame from here was refused, and nobody can say which."""
        if self.on_refused:
            self.on_refused(
                RefusedParams(
                    method="",
                    code=error.kind.code,
                    message=error.message,
                    action=error.action,
                    count=1,
                )
            )

    def _notice(self, method: str, params: Raw) -> None:
        if method == "bus.refused" and self.on_refused:
            self.on_refused(msgspec.json.decode(params, type=RefusedParams))
        elif method == "bus.gap" and self.on_gap:
            self.on_gap(msgspec.json.decode(params, type=GapParams))
        elif method == "bus.continued" and self.on_continued:
            self.on_continued(msgspec.json.decode(params, type=ContinuedParams).pattern)
        elif method in self._observers:
            self._observers[method](params)

    async def _answer(self, method: str, params: Raw, request_id: Raw) -> None:
        handler = self._handlers.get(method)
        if method == "session.ping":
            await self._send(rpc.success(request_id, {}))
        elif handler is None:
            await self._send(rpc.failure(request_id, DeskbusError(METHOD_NOT_FOUND)))
        else:
            try:
                result = await handler(params)
                await self._send(sendable(lambda: rpc.success(request_id, result)))
            except DeskbusError as error:
                await self._send(rpc.failure(request_id, error))

    async def _cancel(self, request_id: int) -> None:
        """Tells that nobody waits any more, if that can still be told."""
        with (
            anyio.CancelScope(shield=True),
            anyio.move_on_after(1),
            suppress(anyio.ClosedResourceError, anyio.BrokenResourceError),
        ):
            await self._send(rpc.notification("$/cancelRequest", {"id": request_id}))

    async def leave(self, pattern: str) -> bool:
        """Ends the subscription to a pattern; whether the backend has none any more."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            try:
                await self.call("bus.unsubscribe", {"pattern": pattern})
            except DeskbusError as error:
                return error.kind is NOT_FOUND
            return True
        return False

    async def _send(self, frame: bytes) -> None:
        if self.closed.is_set():
            raise anyio.ClosedResourceError
        if self._on_frame:
            self._on_frame("sent", frame)
        encoded = encode(self._encoding, frame) if self._encoding else None
        async with self._send_lock:
            await self._write(encoded or frame + b"\n")

    async def _write(self, line: bytes) -> None:
        """Writes all of a line, whatever becomes of its sender."""
        until = anyio.current_time() + WRITE_WITHIN_S
        with anyio.CancelScope(shield=True, deadline=until):
            await self._stream.send(line)
            return
        await self.aclose()
        raise anyio.BrokenResourceError

    def _close(self) -> None:
        self.closed.set()
        for waiter in self._waiting.values():
            waiter.close()
        if self._owns_inbox:
            self._inbox.close()

    @staticmethod
    def _decode(answer: Raw | DeskbusError, result: type[Any]) -> Any:
        if isinstance(answer, DeskbusError):
            raise answer
        return answer if result is Raw else msgspec.json.decode(answer, type=result)


@asynccontextmanager
async def connect(
    pipe: str, *, on_frame: FrameHook | None = None, encodings: Sequence[Encoding] = ()
) -> AsyncIterator[Client]:
    """Connects to the pipe without a session."""
    # The block's own error is kept out of the task group, which would wrap it in a group.
    failed: Exception | None = None
    async with await open_pipe(pipe) as stream, anyio.create_task_group() as tasks:
        client = Client(stream, on_frame, encodings=encodings)
        tasks.start_soon(client.run)
        try:
            yield client
        except Exception as error:  # noqa: BLE001 - raised again below
            failed = error
        finally:
            await client.aclose()
            tasks.cancel_scope.cancel()
    if failed is not None:
        raise failed


@asynccontextmanager
async def connect_with_ticket(
    pipe: str,
    ticket: str,
    app: str,
    *,
    on_frame: FrameHook | None = None,
    encodings: Sequence[Encoding] = (),
) -> AsyncIterator[Client]:
    """Connects and opens the session of `app`; raises `DeskbusError` (ticket_refused)."""
    async with connect(pipe, on_frame=on_frame, encodings=encodings) as client:
        await open_session(client, ticket, app)
        yield client


async def open_session(
    client: Client, ticket: str, app: str, *, resume: bool = False
) -> OpenResult:
    """Opens a session; with `resume` in the place of an earlier one of the same client.

    Messages that waited come at once, so `listen` first.
    """
    params = {"ticket": ticket, "app": app, "protocolVersion": PROTOCOL_VERSION, "resume": resume}
    opened: OpenResult = await client.call("session.open", params | client.terms, result=OpenResult)
    client.agree(opened)
    return opened


@asynccontextmanager
async def connect_as_app() -> AsyncIterator[Client]:
    """Connects a process that the backend spawned, with the ticket it was handed.

    `run_as_app` does more: it tells that the app is ready and lives, and when it is to end. Raises
    `DeskbusError` (session_required) elsewhere.
    """
    ticket, pipe, app = handed_credentials()
    async with connect_with_ticket(pipe, ticket, app) as client:
        yield client


def patience_s(options: dict[str, object]) -> float:
    """Seconds that a request with these options waits at most: for a connection, and its answer."""
    if "timeout" not in options:
        return REQUEST_PATIENCE_MS / 1000
    limit_ms = options["timeout"]
    # A limit that is none is the backend's to refuse.
    return limit_ms / 1000 if isinstance(limit_ms, int) and limit_ms > 0 else inf


def _raw(value: Raw | UnsetType) -> Raw:
    return Raw(b"null") if isinstance(value, UnsetType) else value
