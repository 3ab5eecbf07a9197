"""One side of a JSON-RPC connection: calls out, calls in, cancellation, bounded both ways."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from math import inf
from typing import Any

import anyio
import msgspec
import structlog
from anyio.abc import TaskGroup
from msgspec import Raw, UnsetType

from deskbus.observability.error_counts import ErrorCounts
from deskbus.reliability.work_clock import work_s
from deskbus.rpc import compact_frames, frames
from deskbus.rpc.dispatch.calls_in_progress import CallsInProgress
from deskbus.rpc.fair_turns import FairTurns, charged
from deskbus.rpc.fastpath import (
    ASKING,
    DONE,
    METHODS,
    RATE_LIMITED_ON_FAST_PATH,
    Answer,
    FastPath,
)
from deskbus.rpc.frames import Frame
from deskbus.rpc.malformed_frame import Kind, recover_envelope
from deskbus.rpc.rejection_notices import RejectionNotices
from deskbus.rpc.value_count import checking_params
from deskbus.storage.awake_clock import happens_within
from deskbus.transport.link import Link
from deskbus.transport.outbox import Outbox
from deskbus_protocol.errors import (
    CANCELLED,
    CONNECTION_LOST,
    INTERNAL_ERROR,
    RATE_LIMITED,
    TIMEOUT,
    DeskbusError,
    ErrorObject,
)
from deskbus_protocol.wire import rpc
from deskbus_protocol.wire.encoding import Encoding
from deskbus_protocol.wire.framing import RefusedFrame, lines_of

HOLD_S = 0.05
"""How long an app that sends more than it may is not read from."""

CANCEL = "$/cancelRequest"
NO_PARAMS = Raw(b"{}")

log = structlog.get_logger()

Dispatch = Callable[[str, Raw, bytes], Coroutine[Any, Any, bytes]]
"""Takes method, params and the request's raw id; returns the response frame, never raises."""

NO_ANSWER = b""

_FAILURE = b'{"jsonrpc":"2.0","id":,"error":'


class _CancelParams(msgspec.Struct):
    id: Raw


class _Reply:
    """A place for the answer to a call that went out."""

    def __init__(self) -> None:
        self.arrived = anyio.Event()
        self.value: Raw | DeskbusError = DeskbusError(CONNECTION_LOST)

    def settle(self, value: Raw | DeskbusError) -> None:
        self.value = value
        self.arrived.set()


class Peer:
    """Frames of one link, dispatched; runs until the link closes, which wakes every waiter.

    Frames are served in order, as many in a turn of the loop as `turns` allow; until all that was
    read is served nothing more is read. A call has begun before the frame behind it is looked at.
    """

    def __init__(
        self,
        link: Link,
        dispatch: Dispatch,
        errors: ErrorCounts | None = None,
        turns: FairTurns | None = None,
    ) -> None:
        """`turns` are those of its own where there are none to share."""
        self._errors = errors or ErrorCounts()
        self._link = link
        self._dispatch = dispatch
        self._tasks: TaskGroup | None = None
        self.calls = CallsInProgress()
        self.turns = turns or FairTurns()
        self._arrived: deque[bytes | RefusedFrame] = deque()
        self._steps: Iterator[bool] | None = None
        self._unbegun = 0
        self._waits = False
        """Whether the next step is one for the next turn, once the calls before have begun."""
        self._replies: dict[int, _Reply] = {}
        self._last_id = 0
        self._left = anyio.Event()
        self._closed = anyio.Event()
        # The outbox itself, which knows no peer: so a peer that has ended is freed at once.
        self._refusals = RejectionNotices(link.outbox.send, self._errors)
        self.admits: Callable[[int], bool] | None = None
        """Whether the app may send one more frame, of so many bytes, that is no message.

        None without a limit.
        """
        self.fastpath = FastPath(link.outbox, self._refusals, self.calls)

    @property
    def outbox(self) -> Outbox:
        return self._link.outbox

    @property
    def slow(self) -> bool:
        """Whether it reads more slowly than it is written to."""
        return self.outbox.slow

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    async def run(self) -> None:
        """Serves the link until it closes; what is still in flight then is cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                self._link.bind(self)
                await self._left.wait()
                # No answer can be sent any more, though some frames that came may be left to serve.
                await self._cancel_all()
                await self._closed.wait()
                await self._cancel_all()
        finally:
            self._tasks = None
            self._wake()
            self._link.close()
            self.fastpath.close()
            self._arrived.clear()
            self._steps = None
            self._refusals.close()
            self.admits = None
            self._dispatch = _nobody_serves

    async def _cancel_all(self) -> None:
        """Cancels what is in flight, a few calls in each turn of the loop.

        Each by its own scope: a task that is cancelled itself keeps its last stack, which knows the
        task, so nothing but the garbage collector would free it. And from no task, whose
        description anyio would write into each.
        """
        loop = asyncio.get_running_loop()
        for call in self.calls.all():
            if self.turns.is_over:
                await asyncio.sleep(0)
            self.turns.begin()
            loop.call_soon(call.cancel)

    async def call(
        self, method: str, params: object, result: type[Any] = Raw, *, timeout_s: float = inf
    ) -> Any:
        """Calls the other side; raises `DeskbusError`: its own, timeout, or connection_lost."""
        if self.closed:
            raise DeskbusError(CONNECTION_LOST)
        self._last_id = request_id = self._last_id + 1
        reply = self._replies[request_id] = _Reply()
        try:
            self.send(rpc.request(method, params, request_id))
            in_time = await happens_within(reply.arrived, timeout_s)
        except anyio.get_cancelled_exc_class():
            self.notify(CANCEL, {"id": request_id})
            raise
        finally:
            del self._replies[request_id]
        if not in_time:
            self.notify(CANCEL, {"id": request_id})
            raise DeskbusError(TIMEOUT)
        if isinstance(reply.value, DeskbusError):
            raise reply.value.again()
        try:
            return reply.value if result is Raw else msgspec.json.decode(reply.value, type=result)
        except msgspec.MsgspecError:
            raise DeskbusError(
                INTERNAL_ERROR, f"The answer to {method} breaks its schema."
            ) from None

    def notify(self, method: str, params: object) -> None:
        self.send(rpc.notification(method, params))

    def send(self, frame: bytes) -> None:
        if not self.closed:
            self._link.outbox.send(frame)

    def agree(self, encodings: Sequence[str]) -> Encoding | None:
        """Has long frames encoded from now on, where backend and link allow one of these."""
        return self._link.agree(encodings)

    def hold(self, for_s: float) -> None:
        """Reads nothing from the other side for a while."""
        self._link.hold(for_s)

    def close(self) -> None:
        """Lets the last writes leave and ends `run`."""
        self._link.close()

    def receive(self, block: bytes) -> None:
        """Takes whole frames, each ended by a newline."""
        is_short = len(block) <= frames.LARGE_BYTES
        if is_short and self._steps is None and not self._unbegun and self.turns.is_free:
            # The hot path: what is short is routed at once, without steps.
            began_s = work_s()
            routing = self.fastpath.take(block, self._start)
            if routing is DONE:
                self.turns.charge(self.fastpath.took(work_s() - began_s))
                return
            self._steps = self._serve_runs(block) if routing is None else routing
            self.turns.take(self)
            return
        self._take(block)

    def receive_refused(self, refused: RefusedFrame) -> None:
        """Takes word of a frame that never became one."""
        self._take(refused)

    def link_closed(self) -> None:
        self._left.set()
        if self._steps is None:
            self._end()

    def work(self, until_s: float) -> bool:
        """Serves frames until about `until_s`; returns whether there are more."""
        steps = self._steps
        if steps is None:
            return False
        if self._waits and self._unbegun:
            return True
        for may_go_on in steps:
            self._waits = not may_go_on
            if self._waits or work_s() >= until_s:
                self._link.occupy()
                self._link.flush()
                return True
        self._link.flush()
        self._steps = self._serve_arrived() if self._arrived else None
        if self._steps is not None:
            self._link.occupy()
            return True
        if self._left.is_set():
            self._end()
        else:
            self._link.vacate()
        return False

    def abort(self) -> None:
        """Closes the link at once, and serves nothing more of what it brought."""
        self._steps = None
        self._arrived.clear()
        self._link.abort()
        if self._left.is_set():
            self._end()

    def _end(self) -> None:
        self._closed.set()
        self._wake()

    def _take(self, arrived: bytes | RefusedFrame) -> None:
        self._arrived.append(arrived)
        if self._steps is None:
            self._steps = self._serve_arrived()
            self.turns.take(self)

    def _serve_arrived(self) -> Iterator[bool]:
        """Serves frames step by step; each step says whether the next may be in the same turn."""
        while self._arrived:
            arrived = self._arrived.popleft()
            if self._unbegun:
                yield from self._until_begun()
            if isinstance(arrived, RefusedFrame):
                self._is_admitted(len(arrived.head))
                self._refuse_frame(arrived.head, arrived.error, self._answer)
                yield True
            elif len(arrived) > frames.LARGE_BYTES:
                yield from self._serve_large(arrived)
            elif (routing := self.fastpath.take(arrived, self._start)) is not None:
                yield True
                yield from routing
            else:
                yield from self._serve_runs(arrived)

    def _serve_large(self, block: bytes) -> Iterator[bool]:
        """Serves a block in which a frame may be so long that it is read in steps."""
        for line in lines_of(block):
            if len(line) > frames.LARGE_BYTES:
                yield from self._receive(line[:-1])
            else:
                yield from self._serve_lines(line)

    def _serve_runs(self, block: bytes) -> Iterator[bool]:
        """Serves a block that is not taken as one."""
        for run in compact_frames.runs(block):
            routing = None
            if len(run) < len(block) and compact_frames.kind_of(run) is not None:
                yield from self._until_begun()
                routing = self.fastpath.take(run, self._start)
            if routing is None:
                yield from self._serve_lines(run)
            else:
                yield True
                yield from routing

    def _serve_lines(self, block: bytes) -> Iterator[bool]:
        take = self.fastpath.take
        for line in block.split(b"\n"):
            if not line.strip():
                continue
            if not self._unbegun and take(line + b"\n", self._start) is not None:
                yield True
            else:
                yield from self._receive(line)

    def _until_begun(self) -> Iterator[bool]:
        """Waits for the calls before to begin."""
        while self._unbegun:
            yield False

    def _receive(self, frame: bytes) -> Iterator[bool]:
        try:
            yield from frames.checking(frame)
            members = frames.split_batch(frame) if frames.is_batch(frame) else None
        except DeskbusError as error:
            self._is_admitted(len(frame))
            self._refuse_frame(frame, error, self._answer)
            yield True
            return
        if members is None:
            yield from self._accept(frame, self._answer)
            return
        batch = _Batch(self.send)
        for member in members:
            yield from self._accept(member, batch.expect())
        batch.seal()

    def _accept(self, text: bytes, answer: Answer) -> Iterator[bool]:
        try:
            frame = yield from frames.reading(text)
        except DeskbusError as error:
            self._is_admitted(len(text))
            self._refuse_frame(text, error, answer)
            yield True
            return
        request_id = b"" if isinstance(frame.id, UnsetType) else bytes(frame.id)
        params = NO_PARAMS if isinstance(frame.params, UnsetType) else frame.params
        if not request_id or isinstance(frame.method, UnsetType) or frame.method == CANCEL:
            answer(NO_ANSWER)
        if not self._is_dispatched(frame):
            yield from self._until_begun()
        if frame.method not in RATE_LIMITED_ON_FAST_PATH and not self._is_admitted(len(text)):
            self._refuse_for_rate(frame, request_id, answer)
        elif isinstance(frame.method, UnsetType):
            self._settle(frame)
        elif frame.method == CANCEL:
            self._cancel(params)
        else:
            yield from self._serve_call(frame.method, params, request_id, answer)
        yield True

    def _serve_call(
        self, method: str, params: Raw, request_id: bytes, answer: Answer
    ) -> Iterator[bool]:
        try:
            yield from checking_params(method, params)
        except DeskbusError as error:
            self._refuse_call(method, error, request_id, answer)
            return
        if method in METHODS:
            self.fastpath.take_one(method, params, request_id, answer)
        elif method not in ASKING or not self.fastpath.ask_one(method, params, request_id, answer):
            while self.turns.is_over:
                yield False
            self._start(method, params, request_id, answer)

    def _refuse_call(
        self, method: str, error: DeskbusError, request_id: bytes, answer: Answer
    ) -> None:
        if request_id:
            answer(self._errors.failure(request_id, error))
        else:
            self._refusals.add(method, error)

    @staticmethod
    def _is_dispatched(frame: Frame) -> bool:
        """Whether it is served by a task of its own, behind those that were begun before."""
        method = frame.method
        if not isinstance(method, str):
            return False
        return method != CANCEL and method not in METHODS and method not in ASKING

    def _charge(self, seconds: float) -> None:
        self.turns.charge(seconds)

    def _is_admitted(self, size: int) -> bool:
        if self.admits is None or self.admits(size):
            return True
        self._link.hold(HOLD_S)
        return False

    def _refuse_for_rate(self, frame: Frame, request_id: bytes, answer: Answer) -> None:
        error = DeskbusError(RATE_LIMITED)
        if isinstance(frame.method, UnsetType) or frame.method == CANCEL:
            # Nothing waits for these, and the app is not read from for a while.
            return
        self._refuse_call(frame.method, error, request_id, answer)

    def _refuse_frame(self, frame: bytes, error: DeskbusError, answer: Answer) -> None:
        """Tells whoever waits because of a frame that could not be read, here or there."""
        kind, request_id, method = recover_envelope(frame)
        if kind is Kind.REQUEST:
            answer(self._errors.failure(request_id, error))
        elif kind is Kind.UNKNOWN:
            answer(self._errors.failure(rpc.NULL_ID, error))
        else:
            answer(NO_ANSWER)
            if kind is Kind.NOTIFICATION:
                self._refusals.add(method, error)
            elif reply := self._reply_of(request_id):
                reply.settle(DeskbusError(INTERNAL_ERROR, "The answer could not be read."))

    def _answer(self, frame: bytes) -> None:
        if frame:
            self.send(frame)

    def _start(self, method: str, params: Raw, request_id: bytes, answer: Answer) -> None:
        refusal = self.calls.refusal(request_id, len(params))
        if refusal is None and self._tasks is None:
            refusal = DeskbusError(CONNECTION_LOST)
        if refusal is None and self._tasks is not None:
            scope = anyio.CancelScope()
            ended = self.calls.add(request_id, len(params), scope)
            self._unbegun += 1
            self.turns.begin()
            self._tasks.start_soon(self._serve, scope, method, params, request_id, ended, answer)
            if self._left.is_set():
                # It does what can be done at once, and waits for nothing: nobody is there.
                asyncio.get_running_loop().call_soon(scope.cancel)
        elif refusal is not None:
            self._refuse_call(method, refusal, request_id, answer)

    async def _serve(
        self,
        scope: anyio.CancelScope,
        method: str,
        params: Raw,
        request_id: bytes,
        ended: Callable[[], None],
        answer: Answer,
    ) -> None:
        self._unbegun -= 1
        response = rpc.failure(request_id, DeskbusError(CANCELLED))
        try:
            with scope:
                if self.outbox.slow:
                    # Its unread answers are bounded: no more until it reads.
                    await self.outbox.writable()
                dispatch = self._dispatch(method, params, request_id)
                response = await charged(dispatch, self._charge)
        finally:
            ended()
        if request_id:
            answer(response)
        elif refusal := _refusal_in(response):
            self._refusals.add(method, refusal)

    def _reply_of(self, request_id: bytes) -> _Reply | None:
        number = msgspec.json.decode(request_id)
        return self._replies.get(number) if isinstance(number, int) else None

    def _settle(self, frame: Frame) -> None:
        """An answer to a call of ours; one that nobody waits for is ignored."""
        reply = self._reply_of(bytes(frame.id)) if isinstance(frame.id, Raw) else None
        if reply is None:
            log.debug("rpc.unexpected_response")
        elif isinstance(frame.error, ErrorObject):
            reply.settle(DeskbusError.from_object(frame.error))
        else:
            reply.settle(Raw(b"null") if isinstance(frame.result, UnsetType) else frame.result)

    def _cancel(self, params: Raw) -> None:
        try:
            wanted = bytes(msgspec.json.decode(params, type=_CancelParams).id)
        except msgspec.MsgspecError:
            return
        self.calls.cancel(wanted)

    def _wake(self) -> None:
        for reply in self._replies.values():
            reply.settle(DeskbusError(CONNECTION_LOST))


async def _nobody_serves(method: str, params: Raw, request_id: bytes) -> bytes:
    """Stands in for what knows the connection of a peer that has ended."""
    return rpc.failure(request_id, DeskbusError(CONNECTION_LOST))


def _refusal_in(response: bytes) -> DeskbusError | None:
    """The error of a notification, taken from the response that is not sent."""
    if not response.startswith(_FAILURE):
        return None
    error = msgspec.json.decode(response[len(_FAILURE) : -1], type=ErrorObject)
    return DeskbusError.from_object(error)


class _Batch:
    """Gathers the answers of a batch and sends them as one frame when all are there."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._answers: list[bytes] = []
        self._open = 1

    def expect(self) -> Answer:
        self._open += 1
        return self._add

    def seal(self) -> None:
        """No more members come."""
        self._add(NO_ANSWER)

    def _add(self, frame: bytes) -> None:
        self._open -= 1
        if frame:
            self._answers.append(frame)
        if not self._open and self._answers:
            self._send(b"[%b]" % b",".join(self._answers))
