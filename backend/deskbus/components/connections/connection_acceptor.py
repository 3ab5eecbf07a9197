"""ConnectionAcceptor: lets links in, and serves each until it closes."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import structlog
from msgspec import Raw

from deskbus.components.connections.sessions import Sessions
from deskbus.config import HeartbeatConfig
from deskbus.observability.error_counts import ErrorCounts
from deskbus.observability.logs.log_throttle import LogThrottle
from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus.rpc.connection import Call, Connection
from deskbus.rpc.connection_table import ConnectionTable
from deskbus.rpc.dispatch.dispatcher import Dispatcher
from deskbus.rpc.fair_turns import FairTurns
from deskbus.rpc.heartbeat import Heartbeat
from deskbus.rpc.peer import Peer
from deskbus.storage.awake_clock import happens_within
from deskbus.transport.link import Link
from deskbus.transport.unauthenticated import UnauthenticatedLinks
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.wire import rpc

HEARTBEAT_ID = 0
"""The id of heartbeat requests; calls count from 1."""

REFUSALS_LOGGED = 10
"""Lines of each kind a minute."""

SESSION_WITHIN_S = 10.0
"""How long a link may take to open its session."""

TOO_MANY_LINKS = DeskbusError(
    UNAVAILABLE,
    "The backend has as many links as it may.",
    action="Close other clients, or raise max_links in [links] of the configuration.",
)

log = structlog.get_logger()


class ConnectionAcceptor:
    def __init__(
        self,
        dispatcher: Dispatcher,
        sessions: Sessions,
        heartbeat: HeartbeatConfig,
        table: ConnectionTable,
        errors: ErrorCounts | None = None,
        *,
        on_shell_gone: Callable[[], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._sessions = sessions
        self._wanted = heartbeat
        self._table = table
        self._errors = errors or ErrorCounts()
        self._on_shell_gone = on_shell_gone
        self._unauthenticated = UnauthenticatedLinks()
        self._unauthenticated_turns = FairTurns()
        self._refusals = LogThrottle(log, REFUSALS_LOGGED)
        self._tasks = BackgroundTasks()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serves links meanwhile. One that comes at any other time is closed."""
        async with self._tasks.running():
            yield

    def accept(self, link: Link) -> None:
        """Serves a connection; one beyond the limit of links is told why, and closed."""
        if self._table.is_full:
            self._refusals.log("link.too_many")
            link.outbox.send(rpc.failure(rpc.NULL_ID, TOO_MANY_LINKS))
            link.close()
        else:
            self._start(self._serve, link)

    def accept_shell(self, link: Link) -> None:
        """Serves the shell link, whose end ends the backend."""
        self._start(self._serve_shell, link)

    def _start(self, serve: Callable[[Link], Coroutine[Any, Any, None]], link: Link) -> None:
        if not self._tasks.start(serve, link):
            link.close()

    async def _serve_shell(self, link: Link) -> None:
        try:
            await self._serve(link, shell_link=True)
        finally:
            self._on_shell_gone()

    async def _serve(self, link: Link, *, shell_link: bool = False) -> None:
        async def dispatch(method: str, params: Raw, request_id: bytes) -> bytes:
            call = Call(connection, request_id)
            return await self._dispatcher.dispatch(call, method, params, request_id)

        turns = None if shell_link else self._unauthenticated_turns
        peer = Peer(link, dispatch, self._errors, turns)
        connection = Connection(peer, shell_link=shell_link, only_app=link.only_app)
        heartbeat = self._heartbeat(link, connection)
        number = self._table.enter(link, connection)
        try:
            async with anyio.create_task_group() as tasks:
                if not shell_link:
                    heartbeat.start()
                    self._unauthenticated.enter(link)
                    tasks.start_soon(self._await_session, connection, link)
                await peer.run()
                connection.settled.set()
        except Exception:  # whatever it is, it ends this link, and no other
            log.exception("link.failed")
        finally:
            heartbeat.stop()
            self._table.leave(number)
            self._sessions.leave(connection)

    async def _await_session(self, connection: Connection, link: Link) -> None:
        """Closes a link that opens no session in time."""
        in_time = await happens_within(connection.settled, SESSION_WITHIN_S)
        self._unauthenticated.leave(link)
        link.has_session = connection.has_session
        if not in_time:
            self._refusals.log("link.no_session")
            link.abort()

    def _heartbeat(self, link: Link, connection: Connection) -> Heartbeat:
        """Any bytes are a sign of life; the answer to the question is not waited for."""

        def ask() -> None:
            if connection.has_session:
                connection.peer.send(rpc.request("session.ping", {}, HEARTBEAT_ID))

        def on_dead() -> None:
            log.warning("link.silent", session=connection.has_session)
            link.abort()

        return Heartbeat(
            link,
            ask,
            on_dead,
            interval_s=self._wanted.interval_s,
            deadline_s=self._wanted.deadline_s,
        )
