"""WebSockets: the open ones, bounded in all and by origin."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.web.limits import MAX_SOCKETS, MAX_SOCKETS_OF_ORIGIN
from deskbus.web.origins.sites import Sites
from deskbus.web.web_state import WebState
from deskbus.web.websocket import handshake
from deskbus.web.websocket.frames import CloseCode
from deskbus.web.websocket.handshake import Verdict
from deskbus.web.websocket.link import WebSocketConnection


class WebSockets:
    """`accept` is handed the link of each client."""

    def __init__(
        self, sites: Sites, flusher: Flusher, accept: Callable[[Link], None], state: WebState
    ) -> None:
        self._sites = sites
        self._state = state
        self._flusher = flusher
        self._accept = accept
        self._open: dict[WebSocketConnection, str] = {}

    def __len__(self) -> int:
        return len(self._open)

    def judge(self, target: str, headers: Mapping[bytes, list[bytes]]) -> Verdict:
        verdict = handshake.judge(self._sites, target, headers)
        if verdict.site is None:
            return verdict
        of_origin = Counter(self._open.values())[verdict.origin]
        if len(self._open) >= MAX_SOCKETS or of_origin >= MAX_SOCKETS_OF_ORIGIN:
            return Verdict(None, "", 503, "Too many WebSockets are open.")
        return verdict

    def open(self, verdict: Verdict, transport: asyncio.Transport, data: bytes) -> None:
        assert verdict.site is not None
        connection = WebSocketConnection(
            self._flusher, verdict.site.app, self._accept, on_closed=self._forget
        )
        self._open[connection] = verdict.origin
        self._state.sockets = len(self._open)
        connection.begin(transport, data)

    def _forget(self, connection: WebSocketConnection) -> None:
        self._open.pop(connection, None)
        self._state.sockets = len(self._open)

    def close(self) -> None:
        for connection in list(self._open):
            connection.close(CloseCode.GOING_AWAY)
