"""WebSockets: the open ones, bounded in all and by origin."""

import asyncio
from collections.abc import Callable, Mapping
from weakref import WeakValueDictionary

from deskbus.rpc.fair_turns import FairTurns
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
        self._turns: WeakValueDictionary[str, FairTurns] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._open)

    def judge(self, target: str, headers: Mapping[bytes, list[bytes]]) -> Verdict:
        verdict = handshake.judge(self._sites, target, headers)
        if verdict.site is None:
            return verdict
        crowd = self._crowd(verdict.origin)
        if crowd and all(each.has_session for each in crowd):
            return Verdict(None, "", 503, "Too many WebSockets are open.")
        return verdict

    def open(self, verdict: Verdict, transport: asyncio.Transport, data: bytes) -> None:
        """Where there are too many, the oldest without a session gives way: any program can open
        some as any page, and whoever has a ticket shows it at once.
        """
        assert verdict.site is not None
        crowd = self._crowd(verdict.origin)
        oldest = next((each for each in crowd if not each.has_session), None)
        if oldest is not None:
            del self._open[oldest]
            oldest.abort()
        app = verdict.site.app
        turns = self._turns.setdefault(app, FairTurns())
        connection = WebSocketConnection(self._flusher, app, self._accept, self._forget, turns)
        self._open[connection] = verdict.origin
        self._state.sockets = len(self._open)
        connection.begin(transport, data)

    def _crowd(self, origin: str) -> list[WebSocketConnection]:
        """The sockets that are too many for one more of this origin; the oldest comes first."""
        of_origin = [each for each, known in self._open.items() if known == origin]
        if len(of_origin) >= MAX_SOCKETS_OF_ORIGIN:
            return of_origin
        return list(self._open) if len(self._open) >= MAX_SOCKETS else []

    def _forget(self, connection: WebSocketConnection) -> None:
        self._open.pop(connection, None)
        self._state.sockets = len(self._open)

    def close(self) -> None:
        for connection in list(self._open):
            connection.close(CloseCode.GOING_AWAY)
