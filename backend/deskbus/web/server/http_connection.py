"""HttpConnection: uvicorn's HTTP/1.1 on h11, with bounds in time and number, and WebSockets.

h11 refuses what two readers could take for different requests (RFC 9112, sections 3, 5.1, 6.3): two
lengths, a length beside a transfer coding, an unknown coding, bare line ends, folded lines, a name
with a space. Every response has the security headers, also to what could not be read.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import h11
import structlog
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from deskbus.observability.logs.log_throttle import LogThrottle
from deskbus.web.limits import (
    KEEP_ALIVE_S,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_HTTP_CONNECTIONS,
    MAX_TARGET_BYTES,
    REQUEST_WITHIN_S,
    RESPONSE_WITHIN_S,
)
from deskbus.web.pages import security_headers
from deskbus.web.server.peer_user import is_same_user, is_told, is_user_of
from deskbus.web.websocket import handshake

TRANSFER_ENCODING = b"transfer-encoding"

REFUSALS_LOGGED = 10
"""Lines of each kind a minute."""

SCRAPES = "scrapes"
"""The member of a request's state that only a scraper's connection has."""

log = structlog.get_logger()

Headers = Mapping[bytes, list[bytes]]


class Sockets(Protocol):
    """Takes in WebSockets."""

    def judge(self, target: str, headers: Headers) -> handshake.Verdict:
        """Whether a handshake for this path may go on, and for which app."""

    def open(self, verdict: handshake.Verdict, transport: asyncio.Transport, data: bytes) -> None:
        """Takes over a connection whose handshake is done."""


class Listening:
    """The common part of all connections of one listener: limits, and the server's state."""

    def __init__(
        self, config: Config, sockets: Sockets, scrapers: frozenset[int] = frozenset()
    ) -> None:
        """`scrapers` are other users of this machine that may read the metrics, and only those."""
        self.config = config
        self.scrapers = scrapers
        self.sockets = sockets
        self.state = ServerState()
        self.http: dict[HttpConnection, None] = {}
        self.refused = LogThrottle(log, REFUSALS_LOGGED)

    def enter(self, connection: "HttpConnection") -> None:
        """Lets a connection in, in the place of one that asks nothing where there are too many.

        Where there is none, the oldest gives way whose request has not come whole.
        """
        self.http[connection] = None
        if len(self.http) > MAX_HTTP_CONNECTIONS:
            self.refused.log("web.too_many_connections")
            older = [each for each in self.http if each is not connection]
            asking = (each for each in older if each.is_answering and each.is_unfinished)
            waiting = (each for each in older if not each.is_answering)
            next(waiting, next(asking, connection)).abort()

    def close(self) -> None:
        for connection in list(self.http):
            connection.abort()


class HttpConnection(H11Protocol):
    def __init__(self, listening: Listening) -> None:
        super().__init__(listening.config, listening.state, {})
        self._listening = listening
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._verdict: handshake.Verdict | None = None
        self.access_log = False

    @property
    def _has_cycle(self) -> bool:
        # There is none before the first request, which uvicorn's types don't say.
        return bool(self.scope)

    @property
    def is_answering(self) -> bool:
        return self._has_cycle and not self.cycle.response_complete

    @property
    def is_unfinished(self) -> bool:
        """Whether a part of its request is still to come."""
        return self.conn.their_state is h11.SEND_BODY

    def abort(self) -> None:
        self._listening.http.pop(self, None)
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, transport))
        peer = transport.get_extra_info("peername")
        ours = transport.get_extra_info("sockname")
        if is_told() and not is_same_user(peer[:2], ours[:2]):
            # Before a byte is read: another user of this machine is nobody here, or a scraper.
            if not is_user_of(self._listening.scrapers, peer[:2], ours[:2]):
                self._listening.refused.log("web.foreign_user_refused")
                self.transport.abort()
                return
            self.app_state[SCRAPES] = True
        self._listening.enter(self)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._listening.http.pop(self, None)
        self._stop(self._deadline)
        self._stop(self._unread)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stop(self._unread)
        self._unread = self.loop.call_later(RESPONSE_WITHIN_S, self.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop(self._unread)

    def _watch(self) -> None:
        """Sets the deadline, which runs while a request is unfinished, and from the start for the
        first one.
        """
        begun = not self._has_cycle or bool(self.conn.trailing_data[0])
        waits = self.conn.their_state is h11.SEND_BODY or (
            self.conn.their_state is h11.IDLE and begun
        )
        if not waits:
            self._stop(self._deadline)
            self._deadline = None
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_WITHIN_S, self._too_slow)

    def _too_slow(self) -> None:
        self._listening.refused.log("web.request_too_slow")
        self.abort()

    @staticmethod
    def _stop(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()

    def _should_upgrade(self) -> bool:
        """Whether the request leaves uvicorn's way: it has to end here, or becomes a WebSocket.

        A handshake that is refused is answered by the application, with the reason.
        """
        if any(name == TRANSFER_ENCODING for name, _ in self.headers):
            # Each chunk is a piece of work, and a body may be cut into single bytes; a server may
            # demand a length (RFC 9112, section 6.3), which every browser sends.
            return True
        if self._get_upgrade() is None or SCRAPES in self.app_state:
            return False
        headers: dict[bytes, list[bytes]] = {}
        for name, value in self.headers:
            headers.setdefault(name, []).append(value)
        target = self.scope["raw_path"].decode("ascii", "replace")
        verdict = self._listening.sockets.judge(target, headers)
        if self.scope["method"] != "GET" or self.scope["http_version"] != "1.1":
            verdict = handshake.NO_HANDSHAKE
        self._verdict = verdict
        self.scope["state"]["refusal"] = verdict
        return verdict.site is not None

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        if self._verdict is None:
            self._listening.refused.log("web.body_without_length")
            self._end("411 Length Required", b"A body has to come with its length.\n")
            return
        self.connections.discard(self)
        self._listening.http.pop(self, None)
        self._stop(self._deadline)
        key = next(value for name, value in self.headers if name == b"sec-websocket-key")
        self.transport.write(handshake.answer(key, security_headers.EVERYWHERE))
        data = self.conn.trailing_data[0]
        self._listening.sockets.open(self._verdict, self.transport, data)

    def send_400_response(self, msg: str) -> None:
        """Answers what h11 could not read, in the same words whatever it was."""
        self._listening.refused.log("web.request_unreadable")
        self._end("400 Bad Request", b"This is no HTTP request that this server reads.\n")

    def _end(self, status: str, body: bytes) -> None:
        """Answers and closes; nothing more of this connection is read."""
        lines = [f"HTTP/1.1 {status}".encode(), b"content-type: text/plain; charset=utf-8"]
        lines += [
            f"{name}: {value}".encode() for name, value in security_headers.EVERYWHERE.items()
        ]
        lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
        if not self.transport.is_closing():
            self.transport.write(b"\r\n".join(lines))
            self.transport.close()


def config_of(app: Callable[..., Any]) -> Config:
    """The configuration without uvicorn's own log, proxy headers and server name."""
    config = Config(
        app,
        http=HttpConnection,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    config.load()
    return config


def is_within_limits(scope: Mapping[str, Any]) -> bool:
    """Whether a request's line and headers are of a size that honest ones have."""
    target = len(scope["raw_path"]) + len(scope["query_string"])
    # h11 bounds only what has not come whole.
    head = sum(len(name) + len(value) for name, value in scope["headers"])
    return (
        len(scope["headers"]) <= MAX_HEADERS
        and target <= MAX_TARGET_BYTES
        and head <= MAX_HEAD_BYTES
    )
