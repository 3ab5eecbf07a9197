"""A backend's sessions and bus without anything else, over links in memory, on a clock by hand."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import anyio
import msgspec

from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.bus.broker import MessageBroker
from deskbus.bus.recovery.replay import Replays
from deskbus.bus.service import KEEP_ACKNOWLEDGED_MS, InterApplicationBus
from deskbus.components.audit.refused_calls import RefusedCalls
from deskbus.components.connections.connection_acceptor import ConnectionAcceptor
from deskbus.components.connections.sessions import Sessions
from deskbus.components.monitoring.health_checks import log_statistics
from deskbus.config import HeartbeatConfig, PersistenceConfig
from deskbus.handlers import bus as bus_handlers
from deskbus.handlers import history as history_handlers
from deskbus.handlers import links as links_handlers
from deskbus.handlers.session import SessionHandlers
from deskbus.rpc.connection_table import ConnectionTable
from deskbus.rpc.dispatch.dispatcher import Dispatcher
from deskbus.rpc.dispatch.method_table import authorize
from deskbus.security.permission_checker import ConsentMode
from deskbus.security.tickets.developer_ticket import DEVELOPER_APP
from deskbus.security.tickets.one_time_tickets import TicketIssuer
from deskbus.transport.link import Link
from deskbus.transport.memory import memory_pair
from deskbus.transport.outbox import Flusher
from deskbus.ui.shell import Shell
from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.methods import METHODS
from deskbus_protocol.reconnection import SESSION_GRACE_MS
from deskbus_protocol.wire import rpc
from deskbus_protocol.wire.framing import RefusedFrame
from tests.support.audit_trail import FakeTrail
from tests.support.memory_bus import MemoryLog
from tests.unit.security.desk import TICKER, Desk

DEVELOPER_TICKET = "developer-ticket-of-this-backend"


class _Frame(msgspec.Struct):
    id: int | None = None
    method: str | None = None
    params: Any = None
    result: Any = None
    error: dict[str, Any] | None = None


class _Log(MemoryLog):
    def append(self, topic: str, seq: int, timestamp_ms: int, line: bytes) -> None:
        super().append(topic, seq, timestamp_ms, line)
        del self.entries[:-1]

    def check_durable(self, topic: str) -> None:
        pass

    def when_durable(self, callback: Callable[[bool], None], topic: str | None = None) -> None:
        callback(True)


class LinkClient:
    """The other end of a link: calls, and keeps what it is told."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ids = count(1)
        self._answers: dict[int, anyio.Event] = {}
        self._frames: dict[int, _Frame] = {}
        self.told: list[tuple[str, Any]] = []
        self.token = ""
        self.unasked: list[_Frame] = []
        self.closed = anyio.Event()
        link.bind(self)

    async def call(self, method: str, params: Mapping[str, object]) -> Any:
        frame = await self.ask(method, params)
        assert frame.error is None, frame.error
        return frame.result

    async def ask(self, method: str, params: Mapping[str, object]) -> _Frame:
        number = next(self._ids)
        arrived = self._answers[number] = anyio.Event()
        self._link.outbox.send(rpc.request(method, params, number))
        with anyio.fail_after(20):
            await arrived.wait()
        return self._frames.pop(number)

    def say(self, method: str, params: Mapping[str, object]) -> None:
        self._link.outbox.send(rpc.notification(method, params))

    def say_as(self, number: int, method: str, params: Mapping[str, object]) -> None:
        """A request whose answer is not waited for; it comes to be `unasked`."""
        self._link.outbox.send(rpc.request(method, params, number))

    async def leave(self) -> None:
        self._link.close()
        with anyio.fail_after(20):
            await self.closed.wait()

    def receive(self, block: bytes) -> None:
        for line in block.split(b"\n"):
            if line.strip():
                frame = msgspec.json.decode(line, type=_Frame)
                if frame.method is not None:
                    self.told.append((frame.method, frame.params))
                elif frame.id in self._answers:
                    self._frames[frame.id] = frame
                    self._answers.pop(frame.id).set()
                else:
                    self.unasked.append(frame)

    def receive_refused(self, refused: RefusedFrame) -> None:
        raise AssertionError(refused)

    def link_closed(self) -> None:
        self.closed.set()


class LinkedBackend:
    def __init__(self, desk: Desk) -> None:
        self.now_ms = 1_000_000
        self.desk = desk
        self.trail = FakeTrail()
        self.log = _Log()
        security = desk.security
        self.bus = InterApplicationBus(
            MessageBroker("e1", security.checker, self.log, lambda: self.now_ms),
            security.checker,
            on_gone=security.forget_session,
            on_ended=self._ended,
            awake_ms=lambda: self.now_ms,
        )
        self.tickets = TicketIssuer(lambda: self.now_ms / 1000)
        self.violations = violations = ViolationRecorder(self.trail)
        refused = RefusedCalls(violations)
        replays = Replays(self.bus, self.log)
        self.connections = connections = ConnectionTable(4096, 1024)
        self.sessions = Sessions(
            bus=self.bus,
            log=self.log,
            shell=Shell(),
            tickets=self.tickets,
            denied=refused.on_fastpath,
            minted=lambda _, __: None,
            security=security,
            connections=connections,
            developer_ticket=DEVELOPER_TICKET,
        )
        dispatcher = Dispatcher(authorize, refused.by_dispatcher)
        for table in (
            SessionHandlers(
                epoch="e1",
                pipe="",
                sessions=self.sessions,
                trail=self.trail,
                violations=violations,
                shut_down=lambda: None,
                on_shell=lambda _path, _electron, _locale: None,
                on_opened=lambda _: None,
            ).table(),
            bus_handlers.handlers(
                self.bus, replays, security.permissions, self.sessions.rate_limits
            ),
            history_handlers.handlers(
                self.bus,
                replays,
                security.permissions,
                lambda: log_statistics(None, PersistenceConfig()),
            ),
            links_handlers.handlers(connections, self.trail),
        ):
            for name, handler in table.items():
                dispatcher.add(METHODS[name], handler)
        self.acceptor = ConnectionAcceptor(
            dispatcher, self.sessions, HeartbeatConfig(), connections, on_shell_gone=lambda: None
        )
        self._flusher = Flusher()

    def link(self) -> LinkClient:
        """A stranger's link."""
        here, there = memory_pair(self._flusher)
        self.acceptor.accept(here)
        return LinkClient(there)

    def shell_link(self) -> LinkClient:
        here, there = memory_pair(self._flusher)
        self.acceptor.accept_shell(here)
        return LinkClient(there)

    async def connect(self, app: str = "app.one", client: str = "main") -> LinkClient:
        caller = self.link()
        ticket = self.tickets.mint(ClientId(app, client))
        params = {"ticket": ticket, "app": app, "protocolVersion": PROTOCOL_VERSION}
        opened = await caller.call("session.open", params)
        caller.token = opened["resumeToken"]
        return caller

    async def operator(self) -> LinkClient:
        """A tool of the person who runs the backend."""
        caller = self.link()
        params = {
            "ticket": DEVELOPER_TICKET,
            "app": DEVELOPER_APP,
            "protocolVersion": PROTOCOL_VERSION,
        }
        await caller.call("session.open", params)
        return caller

    def _ended(self, identity: ClientId) -> None:
        self.sessions.forget_token(identity)
        self.desk.security.forget_client(identity)

    def pass_ms(self, ms: int) -> None:
        self.now_ms += ms
        self.bus.tick()

    def forget_the_past(self) -> None:
        """Drops what is kept of what happened: dead letters, and records."""
        self.bus.purge(None)
        self.violations.tell()
        self.trail.noted.clear()
        self.trail.committed.clear()

    async def empty(self) -> None:
        """Returns when nobody is here."""
        with anyio.fail_after(20):
            while any(member.here for member in self.bus.members):
                await anyio.lowlevel.checkpoint()

    def pass_the_grace(self) -> None:
        self.pass_ms(SESSION_GRACE_MS)
        self.pass_ms(KEEP_ACKNOWLEDGED_MS)


@asynccontextmanager
async def linked_backend(mode: ConsentMode = "allow") -> AsyncIterator[LinkedBackend]:
    desk = Desk(mode=mode)
    desk.security.apps.register(TICKER.app, desk.rules, desk.identity)
    backend = LinkedBackend(desk)
    async with backend.acceptor.running():
        yield backend
