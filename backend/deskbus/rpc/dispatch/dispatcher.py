"""Calls a handler for a request. Decoding, validation by schema and every error text are ours.

So nothing of an exception reaches the wire. Calls go through jsonrpcserver once that is loaded.
"""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import structlog
from msgspec import Raw

from deskbus.observability.error_counts import ErrorCounts
from deskbus.observability.tracing import conventions
from deskbus.observability.tracing.call_trace import answering, current, traceparent_in
from deskbus.observability.tracing.span import Value
from deskbus.observability.tracing.tracer import Tracer
from deskbus.reliability.resource_shortage import is_shortage, refusal
from deskbus.rpc.connection import Call
from deskbus_protocol.errors import (
    AUDIT_UNAVAILABLE,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    DeskbusError,
)
from deskbus_protocol.method import Method
from deskbus_protocol.wire import rpc

if TYPE_CHECKING:
    from deskbus.rpc.dispatch.jsonrpc_dispatcher import JsonRpcDispatcher, Run

UNTRACED = frozenset({"session.ping", "traces.record"})
"""Calls that tell of others."""

log = structlog.get_logger()

Handler = Callable[[Call, Any], Awaitable[object]]
Refused = Callable[[Call, str, DeskbusError], Awaitable[None]]
"""Called for each call that is refused for lack of a permission, before its caller is told."""

Acting = Callable[[Call, Method, object], AbstractAsyncContextManager[None]]
"""Records an administrator's act, given its parameters, around its effect; raises `DeskbusError`
where there must be no effect.
"""

Authorize = Callable[[Call, Method], None]
"""Raises `DeskbusError` unless the call may go on."""


class Dispatcher:
    """A table of handlers, one for each method that the backend handles."""

    def __init__(
        self,
        authorize: Authorize,
        on_refused: Refused | None = None,
        errors: ErrorCounts | None = None,
        tracer: Tracer | None = None,
        acting: Acting | None = None,
    ) -> None:
        """Without `acting`, what must be recorded is refused."""
        self._acting = acting or _nowhere_recorded
        self._errors = errors or ErrorCounts()
        self._tracer = tracer
        self._authorize = authorize
        self._on_refused = on_refused
        self._methods: dict[str, Run] = {}
        self._jsonrpc: JsonRpcDispatcher | None = None
        self.answered = anyio.Event()
        """Set once a first call has its answer."""

    def add(self, row: Method, handler: Handler) -> None:
        self._methods[row.name] = self._guarded(row, handler)

    def load(self) -> None:
        """Loads jsonrpcserver, through which calls go from now on; the outcomes are the same
        before.
        """
        from deskbus.rpc.dispatch.jsonrpc_dispatcher import JsonRpcDispatcher

        loaded = JsonRpcDispatcher()
        for name, run in self._methods.items():
            loaded.add(name, run)
        self._jsonrpc = loaded

    async def dispatch(self, call: Call, method: str, params: Raw, request_id: bytes) -> bytes:
        """Runs the handler of `method` and returns the response frame. Raises nothing."""
        run = self._methods.get(method)
        if run is None:
            return self._errors.failure(request_id, DeskbusError(METHOD_NOT_FOUND))
        if self._jsonrpc is None:
            outcome = await run(call, params)
            self.answered.set()
        else:
            outcome = await self._jsonrpc.dispatch(call, method, params, request_id)
        if isinstance(outcome, DeskbusError):
            return self._errors.failure(request_id, outcome)
        return rpc.success(request_id, outcome)

    def _guarded(self, row: Method, handler: Handler) -> "Run":
        authorize = self._authorize
        on_refused = self._on_refused

        tracer = self._tracer
        if row.recorded in ("before", "regardless"):
            handler = _recorded(row, handler, self._acting)

        async def run(call: Call, raw: Raw) -> object:
            if tracer is not None and row.name not in UNTRACED:
                return await _traced(tracer, row.name, call, raw, answer)
            with answering(raw, caller=_app_of(call)):
                return await answer(call, raw)

        async def answer(call: Call, raw: Raw) -> object:
            try:
                authorize(call, row)
                return await handler(call, _decoder_of(row.params).decode(raw))
            except msgspec.ValidationError as error:
                # The text describes the peer's own input, nothing of ours.
                return DeskbusError(INVALID_PARAMS, f"{row.name}: {error}")
            except DeskbusError as error:
                if on_refused is not None and error.kind.category == "permission":
                    # By it the caller's error and the record of it are found together.
                    error.correlation_id = error.correlation_id or current().correlation_id
                    await on_refused(call, row.name, error)
                return error
            except Exception as error:  # it is this call's alone, and no text of it leaves
                if is_shortage(error):
                    log.warning("rpc.shortage", method=row.name, reason=str(error))
                    return refusal(error)
                correlation_id = secrets.token_hex(8)
                log.exception("rpc.handler_failed", method=row.name, correlation_id=correlation_id)
                return DeskbusError(INTERNAL_ERROR, correlation_id=correlation_id)

        return run


@cache
def _decoder_of(params: type) -> "msgspec.json.Decoder[Any]":
    """Made at the first call: a start would spend milliseconds on those of all methods."""
    return msgspec.json.Decoder(params)


def _recorded(row: Method, handler: Handler, acting: Acting) -> Handler:
    async def act(call: Call, params: Any) -> object:
        async with acting(call, row, params):
            return await handler(call, params)

    return act


def _nowhere_recorded(*_: object) -> AbstractAsyncContextManager[None]:
    raise DeskbusError(AUDIT_UNAVAILABLE)


def _app_of(call: Call) -> str:
    return call.identity.app if call.connection.has_session else ""


async def _traced(
    tracer: Tracer, method: str, call: Call, raw: Raw, answer: Callable[[Call, Raw], Awaitable[Any]]
) -> Any:
    """Answers a call with a span for it; without one, tells of a call that failed or was slow."""
    start_ns = tracer.now_ns()
    parent = traceparent_in(raw)
    sampled = not call.connection.samples and tracer.sampler.takes_one()
    span = tracer.begin(parent, start_ns=start_ns, sampled=sampled)
    with answering(raw, span, caller=_app_of(call)):
        outcome = await answer(call, raw)
        category = outcome.kind.category if isinstance(outcome, DeskbusError) else ""
        is_slow = tracer.now_ns() - start_ns > tracer.slow_ns
        if span is not None:
            span.end(method, _attributes(method, call, outcome), kind="server", error=category)
        elif category or is_slow:
            attributes, trace_id = _attributes(method, call, outcome), current().trace_id
            tracer.record_alone(
                method, "server", start_ns, attributes, error=category, trace_id=trace_id
            )
    return outcome


def _attributes(method: str, call: Call, outcome: object) -> dict[str, Value]:
    attributes: dict[str, Value] = {
        conventions.RPC_SYSTEM: conventions.RPC_SYSTEM_JSONRPC,
        conventions.RPC_METHOD: method,
        conventions.RPC_JSONRPC_VERSION: "2.0",
        conventions.MESSAGING_MESSAGE_CONVERSATION_ID: current().correlation_id,
    }
    if isinstance(outcome, DeskbusError):
        attributes[conventions.RPC_JSONRPC_ERROR_CODE] = outcome.kind.code
    if call.connection.has_session:
        attributes[conventions.APP] = call.identity.app
        attributes[conventions.CLIENT] = call.identity.client
    return attributes
