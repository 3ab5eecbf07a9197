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

from deskbus.observability.call_trace import answering, current
from deskbus.observability.error_counts import ErrorCounts
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
    ) -> None:
        self._errors = errors or ErrorCounts()
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

        async def run(call: Call, raw: Raw) -> Any:
            with answering(raw):
                return await answer(call, raw)

        async def answer(call: Call, raw: Raw) -> Any:
            try:
                authorize(call, row)
                return Success(await handler(call, decode(raw)))
            except msgspec.ValidationError as error:
                # The text describes the peer's own input, nothing of ours.
                return Success(DeskbusError(INVALID_PARAMS, f"{row.name}: {error}"))
            except DeskbusError as error:
                if on_refused is not None and error.kind.category == "permission":
                    # By it the caller's error and the record of it are found together.
                    error.correlation_id = error.correlation_id or current().correlation_id
                    await on_refused(call, row.name, error)
                return Success(error)
            except Exception as error:
                if is_shortage(error):
                    log.warning("rpc.shortage", method=row.name, reason=str(error))
                    return Success(refusal(error))
                correlation_id = secrets.token_hex(8)
                log.exception("rpc.handler_failed", method=row.name, correlation_id=correlation_id)
                return Success(DeskbusError(INTERNAL_ERROR, correlation_id=correlation_id))

        # jsonrpcserver asks for it at every call; as an attribute it need not be worked out.
        run.__signature__ = inspect.signature(run)  # type: ignore[attr-defined]
        return run
