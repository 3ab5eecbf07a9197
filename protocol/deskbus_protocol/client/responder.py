"""RespondingClient: answers the requests on a pattern with what a handler returns."""

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from typing import Any, overload

import anyio
import msgspec
from anyio.abc import TaskGroup, TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream

from deskbus_protocol.client.inbox import Message
from deskbus_protocol.errors import (
    CONFLICT,
    CONNECTION_LOST,
    INVALID_PARAMS,
    NOT_FOUND,
    TIMEOUT,
    TOO_LARGE,
    DeskbusError,
)

Responder = Callable[[Any], Awaitable[object]] | Callable[[Any, Message], Awaitable[object]]
"""Called with a request's payload, and with its message too where it takes two arguments."""

Stop = Callable[[], None]
"""Ends the answering."""

MISSED = (CONFLICT, CONNECTION_LOST, INVALID_PARAMS, NOT_FOUND, TIMEOUT, TOO_LARGE)
"""Nobody waits for the answer any more, or the asking app was told that there is none."""


class RespondingClient(ABC):
    """The half of a client that answers requests."""

    @abstractmethod
    def subscribe(
        self, pattern: str
    ) -> AbstractAsyncContextManager[MemoryObjectReceiveStream[Message]]: ...

    @abstractmethod
    def handling(self, message: Message) -> AbstractContextManager[None]: ...

    @abstractmethod
    async def answer(
        self, message: Message, payload: object = None, *, error: str | None = None
    ) -> None: ...

    @abstractmethod
    async def _responders(self) -> TaskGroup:
        """The tasks of handlers; raises `DeskbusError` (connection_lost)."""

    @overload
    async def respond(self, pattern: str, handler: Responder, /) -> Stop: ...
    @overload
    async def respond(
        self, pattern: Message, handler: object = None, /, *, error: str | None = None
    ) -> None: ...
    async def respond(
        self, pattern: str | Message, handler: Any = None, /, *, error: str | None = None
    ) -> Stop | None:
        """Answers the requests on a topic or pattern with what `handler` returns, while `run`
        does; returns, once the subscription stands, a function that ends it.

        A `ValueError` or `LookupError` of the handler is told to the asking app, by its words; any
        other ends `run`. With a message and its answer it is deprecated: see `answer`.
        """
        if not isinstance(pattern, str):
            warnings.warn("respond to a message is now answer", DeprecationWarning, stacklevel=2)
            await self.answer(pattern, handler, error=error)
            return None
        tasks = await self._responders()
        stop: Stop = await tasks.start(answer_requests, self, pattern, handler)
        return stop


async def answer_requests(
    client: RespondingClient, pattern: str, handler: Responder, *, task_status: TaskStatus[Stop]
) -> None:
    """Answers one request after the other, until the `Stop` that it starts with is called.

    A `ValueError` or `LookupError` of the handler is told to the asking app, by its words; any
    other is raised.
    """
    takes_message = _takes_message(handler)
    with anyio.CancelScope() as scope:
        async with client.subscribe(pattern) as requests:
            task_status.started(scope.cancel)
            async for message in requests:
                if not message.reply_to:
                    continue
                given = (msgspec.json.decode(message.payload), message)
                with client.handling(message):
                    try:
                        answer = await handler(*given[: 1 + takes_message])
                    except (ValueError, LookupError) as error:
                        with _unless_missed():
                            await client.answer(message, error=str(error) or "The handler failed.")
                    else:
                        with _unless_missed():
                            await client.answer(message, answer)


@contextmanager
def _unless_missed() -> Iterator[None]:
    try:
        yield
    except DeskbusError as error:
        if error.kind not in MISSED:
            raise


def _takes_message(handler: Responder) -> bool:
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    return True
