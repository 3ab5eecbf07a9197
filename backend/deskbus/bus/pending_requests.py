"""Requests on the bus that wait for their first answer."""

import secrets
from collections.abc import Callable

from msgspec import Raw, UnsetType

from deskbus.bus.route import BusClient
from deskbus.storage.awake_clock import awake_s
from deskbus.storage.deadline_wheel import DeadlineWheel
from deskbus_protocol.bus import RespondParams
from deskbus_protocol.errors import (
    INVALID_PARAMS,
    NO_SUBSCRIBER,
    NOT_FOUND,
    PERMISSION_DENIED,
    PERMISSION_REVOKED,
    RESPONDER_FAILED,
    TIMEOUT,
    DeskbusError,
)
from deskbus_protocol.permissions import Grant

Settled = Callable[[bytes | DeskbusError], None]
"""Takes what became of a request, once: its `RequestResult` as JSON, or an error."""


class PendingRequest:
    """One request; `asked` are the clients that got it, and only they may answer.

    The token is a secret between them and the bus. `granted` is what `asker` needs for as long as
    it waits, where nothing else watches over that.
    """

    __slots__ = (
        "asked",
        "asker",
        "correlation",
        "granted",
        "in_memory",
        "settled",
        "slot",
        "token",
    )

    def __init__(self, asker: BusClient, settled: Settled, granted: Grant | None) -> None:
        self.token = secrets.token_hex(16)
        self.asker = asker
        self.settled = settled
        self.granted = granted
        self.asked: set[BusClient] = set()
        self.correlation = b""
        """The correlation id of the message, as JSON."""
        self.in_memory = False
        """Whether the message is of a sensitive topic and not encrypted yet."""
        self.slot = 0


class PendingRequests:
    """The open requests, by the token that their messages carry as `replyTo`."""

    def __init__(self) -> None:
        self._open: dict[str, PendingRequest] = {}
        self._deadlines = DeadlineWheel[PendingRequest](self._expire, awake_s)

    def __len__(self) -> int:
        return len(self._open)

    def open(self, request: PendingRequest, timeout_ms: int) -> None:
        """Keeps the request until it is answered, times out, or everybody asked is gone."""
        self._open[request.token] = request
        request.slot = self._deadlines.add(request, timeout_ms / 1000)

    def withdraw(self, request: PendingRequest) -> None:
        """Drops a request whose asker no longer waits; a settled one is dropped already."""
        if self._open.pop(request.token, None) is not None:
            self._deadlines.remove(request, request.slot)

    def respond(self, client: BusClient, params: RespondParams) -> None:
        """Raises `DeskbusError`: not_found, permission_denied, invalid_params."""
        request = self._open.get(params.reply_to)
        if request is None:
            raise DeskbusError(NOT_FOUND, "Nobody waits for this answer any more.")
        if client not in request.asked:
            raise DeskbusError(PERMISSION_DENIED, "This request was not put to this client.")
        payload, error = params.payload, params.error
        if isinstance(payload, Raw) == (not isinstance(error, UnsetType)):
            raise DeskbusError(INVALID_PARAMS, "An answer has either a payload or an error.")
        if isinstance(payload, Raw):
            self._settle(
                request,
                b'{"payload":%b,%b,"correlationId":%b%b}'
                % (
                    payload,
                    client.names,
                    request.correlation,
                    b',"inMemory":true' if request.in_memory else b"",
                ),
            )
        elif not isinstance(error, UnsetType):
            self._settle(request, DeskbusError(RESPONDER_FAILED, error.message))

    def lose(self, client: BusClient) -> None:
        """Ends the requests for which only the client that has left could still answer."""
        for request in list(self._open.values()):
            if client in request.asked:
                request.asked.discard(client)
                if not request.asked:
                    gone = DeskbusError(NO_SUBSCRIBER, "The app that was asked has left.")
                    self._settle(request, gone)

    def revoke(self, app: str, is_granted: Callable[[BusClient, Grant], bool]) -> None:
        """Ends requests of an app that are not permitted any more."""
        for request in list(self._open.values()):
            asker, granted = request.asker, request.granted
            if granted is not None and asker.identity.app == app and not is_granted(asker, granted):
                self._settle(request, DeskbusError(PERMISSION_REVOKED))

    def _settle(self, request: PendingRequest, outcome: bytes | DeskbusError) -> None:
        self.withdraw(request)
        request.settled(outcome)

    def _expire(self, request: PendingRequest) -> None:
        self._settle(request, DeskbusError(TIMEOUT))
