"""Requests on the bus that wait for their first answer."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from msgspec import Raw, UnsetType

from deskbus.bus.route import BusClient
from deskbus.storage.awake_clock import happens_within
from deskbus_protocol.bus import RequestResult, RespondParams
from deskbus_protocol.errors import (
    CONFLICT,
    INVALID_PARAMS,
    NO_SUBSCRIBER,
    NOT_FOUND,
    PERMISSION_DENIED,
    RESPONDER_FAILED,
    TIMEOUT,
    DeskbusError,
)


class PendingRequest:
    """One request; `asked` are the clients that got it, and only they may answer.

    The token is a secret between them and the bus; `correlation_id` is the message's own, and
    `in_memory` says that it is of a sensitive topic and not encrypted yet.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.correlation_id = ""
        self.in_memory = False
        self.asked: set[BusClient] = set()
        self._settled = anyio.Event()
        self._answer: RequestResult | DeskbusError = DeskbusError(TIMEOUT)

    @property
    def settled(self) -> bool:
        return self._settled.is_set()

    def settle(self, answer: RequestResult | DeskbusError) -> None:
        self._answer = answer
        self._settled.set()

    async def answer(self, timeout_ms: int) -> RequestResult:
        """Raises `DeskbusError`: timeout, responder_failed, or no_subscriber."""
        await happens_within(self._settled, timeout_ms / 1000)
        if isinstance(self._answer, DeskbusError):
            raise self._answer.again()
        return self._answer


class PendingRequests:
    """The open ones, by the token that their messages carry as `replyTo`."""

    def __init__(self) -> None:
        self._open: dict[str, PendingRequest] = {}

    @contextmanager
    def ask(self) -> Iterator[PendingRequest]:
        """A request that is open for the length of a `with` block."""
        token = secrets.token_urlsafe(16)
        request = self._open[token] = PendingRequest(token)
        try:
            yield request
        finally:
            del self._open[token]

    def respond(self, client: BusClient, params: RespondParams) -> None:
        """Raises `DeskbusError`: not_found, permission_denied, conflict, invalid_params."""
        request = self._open.get(params.reply_to)
        if request is None:
            raise DeskbusError(NOT_FOUND, "Nobody waits for this answer any more.")
        if client not in request.asked:
            raise DeskbusError(PERMISSION_DENIED, "This request was not put to this client.")
        if request.settled:
            raise DeskbusError(CONFLICT, "Another client has answered already.")
        if isinstance(params.payload, Raw) == (not isinstance(params.error, UnsetType)):
            raise DeskbusError(INVALID_PARAMS, "An answer has either a payload or an error.")
        if not isinstance(params.error, UnsetType):
            request.settle(DeskbusError(RESPONDER_FAILED, params.error.message))
        elif isinstance(params.payload, Raw):
            request.settle(
                RequestResult(
                    payload=params.payload.copy(),
                    app=client.identity.app,
                    client=client.identity.client,
                    correlation_id=request.correlation_id,
                    in_memory=request.in_memory,
                )
            )

    def lose(self, client: BusClient) -> None:
        """A client has left; who waits for it alone need not wait."""
        for request in self._open.values():
            if client in request.asked:
                request.asked.discard(client)
                if not request.asked and not request.settled:
                    request.settle(DeskbusError(NO_SUBSCRIBER, "The app that was asked has left."))
