"""Calls a handler for a request, through jsonrpcserver; the only module that imports it.

jsonrpcserver routes and pairs results with requests. Decoding, validation by schema and every
error text are ours, so nothing of an exception reaches the wire.
"""

import inspect
import logging
import secrets
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from msgspec import Raw

from deskbus.observability.call_trace import answering, current, traceparent_in
from deskbus.observability.error_counts import ErrorCounts
from deskbus.observability.tracing import conventions
from deskbus.observability.tracing.span import Value
from deskbus.observability.tracing.tracer import Tracer
from deskbus.reliability.resource_shortage import is_shortage, refusal
from deskbus.rpc.connection import Call
from deskbus_protocol import rpc
from deskbus_protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    DeskbusError,
)
from deskbus_protocol.method import Method

with warnings.catch_warnings():
    # jsonschema's RefResolver, which jsonrpcserver imports and we don't use.
    warnings.simplefilter("ignore", DeprecationWarning)
    from jsonrpcserver import Success
    from jsonrpcserver.async_dispatcher import dispatch_request
    from jsonrpcserver.dispatcher import to_response
    from jsonrpcserver.request import Request
    from jsonrpcserver.response import to_serializable_one

# Its errors never come: `_guarded` lets no exception through. What it would log is params.
logging.getLogger("jsonrpcserver").disabled = True

UNTRACED = frozenset({"session.ping", "traces.record"})
"""Calls that tell of others."""

log = structlog.get_logger()

Handler = Callable[[Call, Any], Awaitable[object]]
Refused = Callable[[Call, str, DeskbusError], Awaitable[None]]
"""Told of a call that was refused for want of a permission, before its caller is."""

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
    ) -> None:
        self._errors = errors or ErrorCounts()
        self._tracer = tracer
        self._authorize = authorize
        self._on_refused = on_refused
        self._methods: dict[str, Callable[..., Awaitable[Any]]] = {}

    def add(self, row: Method, handler: Handler) -> None:
        self._methods[row.name] = self._guarded(row, handler)

    async def dispatch(self, call: Call, method: str, params: Raw, request_id: bytes) -> bytes:
        """Runs the handler of `method` and returns the response frame. Raises nothing."""
        if method not in self._methods:
            return self._errors.failure(request_id, DeskbusError(METHOD_NOT_FOUND))
        request = Request(method=method, params=[params], id=request_id)
        request, outcome = await dispatch_request(self._methods, call, request)
        answer = to_serializable_one(to_response(request, outcome))["result"]  # type: ignore[call-overload,index]
        if isinstance(answer, DeskbusError):
            return self._errors.failure(request_id, answer)
        return rpc.success(request_id, answer)

    def _guarded(self, row: Method, handler: Handler) -> Callable[..., Awaitable[Any]]:
        decode = msgspec.json.Decoder(row.params).decode
        authorize = self._authorize
        on_refused = self._on_refused

        tracer = self._tracer

        async def run(call: Call, raw: Raw) -> Any:
            if tracer is not None and row.name not in UNTRACED:
                return Success(await _traced(tracer, row.name, call, raw, answer))
            with answering(raw, caller=_app_of(call)):
                return Success(await answer(call, raw))

        async def answer(call: Call, raw: Raw) -> Any:
            try:
                authorize(call, row)
                return await handler(call, decode(raw))
            except msgspec.ValidationError as error:
                # The text describes the peer's own input, nothing of ours.
                return DeskbusError(INVALID_PARAMS, f"{row.name}: {error}")
            except DeskbusError as error:
                if on_refused is not None and error.kind.category == "permission":
                    # By it the caller's error and the record of it are found together.
                    error.correlation_id = error.correlation_id or current().correlation_id
                    await on_refused(call, row.name, error)
                return error
            except Exception as error:
                if is_shortage(error):
                    log.warning("rpc.shortage", method=row.name, reason=str(error))
                    return refusal(error)
                correlation_id = secrets.token_hex(8)
                log.exception("rpc.handler_failed", method=row.name, correlation_id=correlation_id)
                return DeskbusError(INTERNAL_ERROR, correlation_id=correlation_id)

        # jsonrpcserver asks for it at every call; as an attribute it need not be worked out.
        run.__signature__ = inspect.signature(run)  # type: ignore[attr-defined]
        return run


def _app_of(call: Call) -> str:
    return call.identity.app if call.connection.has_session else ""


async def _traced(
    tracer: Tracer, method: str, call: Call, raw: Raw, answer: Callable[[Call, Raw], Awaitable[Any]]
) -> Any:
    """Answers a call with a span for it; without one, tells of a call that failed or was slow."""
    start_ns = tracer.now_ns()
    parent = traceparent_in(raw)
    span = tracer.begin(parent, start_ns=start_ns, sampled=tracer.sampler.takes_one())
    with answering(raw, span, caller=_app_of(call)):
        outcome = await answer(call, raw)
        trace = current()
    category = outcome.kind.category if isinstance(outcome, DeskbusError) else ""
    attributes: dict[str, Value] = {
        conventions.RPC_SYSTEM: conventions.RPC_SYSTEM_JSONRPC,
        conventions.RPC_METHOD: method,
        conventions.RPC_JSONRPC_VERSION: "2.0",
        conventions.MESSAGING_MESSAGE_CONVERSATION_ID: trace.correlation_id,
    }
    if isinstance(outcome, DeskbusError):
        attributes[conventions.RPC_JSONRPC_ERROR_CODE] = outcome.kind.code
    if call.connection.has_session:
        attributes[conventions.APP] = call.identity.app
        attributes[conventions.CLIENT] = call.identity.client
    if span is not None:
        span.end(method, attributes, kind="server", error=category)
    elif category or tracer.now_ns() - start_ns > tracer.slow_ns:
        tracer.record_alone(
            method, "server", start_ns, attributes, error=category, trace_id=trace.trace_id
        )
    return outcome
