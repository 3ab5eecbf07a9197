"""Dispatches calls through jsonrpcserver; the only module that imports it.

jsonrpcserver routes and pairs results with requests. It takes tens of milliseconds to import, for
it brings jsonschema, so it comes after a start (`Dispatcher.load`).
"""

import inspect
import logging
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Raw

from deskbus.rpc.connection import Call

with warnings.catch_warnings():
    # jsonschema's RefResolver, which jsonrpcserver imports and we don't use.
    warnings.simplefilter("ignore", DeprecationWarning)
    from jsonrpcserver import Success
    from jsonrpcserver.async_dispatcher import dispatch_request
    from jsonrpcserver.dispatcher import to_response
    from jsonrpcserver.request import Request
    from jsonrpcserver.response import to_serializable_one

# Its errors never come: no exception leaves a method of ours. Its log lines would hold params.
logging.getLogger("jsonrpcserver").disabled = True

Run = Callable[[Call, Raw], Awaitable[object]]


class JsonRpcDispatcher:
    """A table of methods that raise nothing."""

    def __init__(self) -> None:
        self._methods: dict[str, Callable[..., Awaitable[Any]]] = {}

    def add(self, name: str, run: Run) -> None:
        async def method(call: Call, raw: Raw) -> Any:
            return Success(await run(call, raw))

        # jsonrpcserver asks for it at every call; as an attribute it need not be worked out.
        method.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
        self._methods[name] = method

    async def dispatch(self, call: Call, name: str, params: Raw, request_id: bytes) -> object:
        """The method's outcome."""
        request = Request(method=name, params=[params], id=request_id)
        request, outcome = await dispatch_request(self._methods, call, request)
        return to_serializable_one(to_response(request, outcome))["result"]  # type: ignore[call-overload,index]
