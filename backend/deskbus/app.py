"""Composition root: builds every part and joins them; the only place that knows them all."""

import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import structlog
from anyio.abc import TaskGroup
from msgspec import UNSET, Raw, UnsetType

from deskbus.bus.broker import MessageBroker
from deskbus.bus.interapplication import InterApplicationBus
from deskbus.bus.replay import Replays
from deskbus.config import MESSAGE_FOLDER, VAULT_FOLDER, AppConfig, Settings
from deskbus.handlers import apps as apps_handlers
from deskbus.handlers import bus as bus_handlers
from deskbus.handlers import health as health_handlers
from deskbus.handlers import history as history_handlers
from deskbus.handlers import permissions as permissions_handlers
from deskbus.handlers import secrets as secrets_handlers
from deskbus.handlers import ui as ui_handlers
from deskbus.handlers.federation import health_of, join_federation
from deskbus.handlers.sensitive import SensitiveTopics
from deskbus.handlers.session import SessionHandlers
from deskbus.handlers.sessions import Sessions
from deskbus.persistence.persistence import MessagePersistence
from deskbus.persistence.retention import Retention
from deskbus.persistence.topiclog import TopicLog
from deskbus.processes.manager import AppPlan, ProcessIsolationManager
from deskbus.processes.spawn import Program
from deskbus.reliability.health import HealthMonitor
from deskbus.rpc.connection import Call, Connection
from deskbus.rpc.heartbeat import Heartbeat
from deskbus.rpc.peer import Peer
from deskbus.rpc.router import build_dispatcher
from deskbus.security.decisions import DecisionStore
from deskbus.security.developer import developer_ticket
from deskbus.security.manager import Answer, AppRules, ConsentMode, SecurityManager
from deskbus.security.tickets import TicketOffice
from deskbus.transport.descriptors import ClaimedDescriptors
from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.pipe import listen
from deskbus.transport.stdio import open_stdio
from deskbus.ui.consent import ConsentDialogs
from deskbus.ui.shell import Shell
from deskbus.ui.windows import Windows, absolute_url
from deskbus.vault.service import Drawer, VaultService
from deskbus.vault.vault import Vault
from deskbus_protocol import rpc
from deskbus_protocol.apps import AppChangedParams, AppStatus
from deskbus_protocol.envelope import Sender
from deskbus_protocol.health import ComponentHealth, Status
from deskbus_protocol.history import LogStats
from deskbus_protocol.methods import METHODS
from deskbus_protocol.permissions import Grant
from deskbus_protocol.secrets import VaultChangedParams, VaultStatus
from deskbus_protocol.ui import AppIdentity, WindowDescriptor

HEARTBEAT_ID = 0
"""Of the request that asks for a sign of life; calls count from 1."""

SESSION_WITHIN_S = 10.0
MAX_STRANGERS = 64
"""Links without a session; each has `SESSION_WITHIN_S` to open one."""

DECISIONS_WITHIN_S = 2.0
"""The keychain may wait for a person; nobody else does. What it has counts when it comes."""

TICK_S = 0.1
"""How late expiry and redelivery may be."""

log = structlog.get_logger()


class Backend:
    """One running backend: every service, and the links to its peers."""

    def __init__(self, settings: Settings, mode: ConsentMode) -> None:
        self._settings = settings
        self._flusher = Flusher()
        self._stopping = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._strangers = 0
        self._pipe = ""
        self._apps = {app.id: app for app in settings.config.apps}
        epoch = f"{int(time.time()):x}-{secrets.token_hex(2)}"

        self._shell = Shell()
        self._dialogs = ConsentDialogs(
            self._shell,
            timeout_s=settings.config.consent.timeout_s,
            monotonic_s=time.monotonic,
        )
        vault = Vault(settings.data_dir / VAULT_FOLDER)
        self._vault = VaultService(vault, self._vault_changed)
        self._decisions = DecisionStore(
            settings.data_dir, Drawer(self._vault, "decisions", "remembered")
        )
        self._security = SecurityManager(
            apps={app.id: _rules(app) for app in self._apps.values()},
            decisions=self._decisions,
            prompt=self._prompt,
            mode=mode,
            on_changed=self._grants_changed,
        )
        self._persistence = _persistence(settings, vault)
        self._log = TopicLog(self._persistence, settings.config.persistence.topics)
        self._bus = InterApplicationBus(
            MessageBroker(epoch, self._security, self._log),
            self._security,
            on_gone=self._security.forget_session,
        )
        tickets = TicketOffice(time.monotonic)
        self._processes = ProcessIsolationManager(
            [_plan(app, settings.folder) for app in self._apps.values()],
            windows=Windows(self._shell),
            mint=tickets.mint,
            on_changed=self._app_changed,
            reveal=self._vault.reveal,
            log_dir=settings.data_dir / "logs",
        )
        self._sessions = Sessions(bus=self._bus, log=self._log, shell=self._shell, tickets=tickets)
        self._federation = join_federation(settings, self._bus.broker, self._log)
        health = HealthMonitor(epoch)
        health.watch("bus", self._bus_health)
        health.watch("persistence", self._persistence_health)
        health.watch("shell", self._shell_health)
        health.watch("permissions", self._permissions_health)
        health.watch("vault", self._vault.health)
        health.watch("federation", health_of(self._federation))
        self._dispatcher = build_dispatcher(
            METHODS,
            [
                SessionHandlers(
                    epoch=epoch,
                    pipe=lambda: self._pipe,
                    tickets=tickets,
                    sessions=self._sessions,
                    shut_down=self._stopping.set,
                ).table(),
                bus_handlers.handlers(self._bus, self._security),
                history_handlers.handlers(
                    self._bus,
                    Replays(self._bus, self._log, self._log.persists),
                    self._security,
                    self._log_stats,
                ),
                permissions_handlers.handlers(self._security),
                secrets_handlers.handlers(self._vault, self._security),
                apps_handlers.handlers(self._processes),
                ui_handlers.handlers(self._dialogs, self._processes),
                health_handlers.handlers(health),
            ],
        )

    async def run(self, claimed: ClaimedDescriptors | None = None) -> None:
        """Serves until the shell link closes, `session.shutdown` comes, or a signal.

        With `claimed` descriptors a shell is at the other end of them; without, the backend is
        headless and writes a developer ticket beside its pipe.
        """
        await anyio.to_thread.run_sync(self._prepare)
        async with (
            self._running_log(),
            listen(self._settings.runtime_dir, self._flusher, self._accept) as self._pipe,
            anyio.create_task_group() as self._tasks,
        ):
            self._processes.pipe = self._pipe
            if self._federation is not None:
                self._tasks.start_soon(self._federation.run)
            self._tasks.start_soon(self._security.run)
            self._tasks.start_soon(self._processes.run)
            self._tasks.start_soon(self._tick)
            self._tasks.start_soon(self._stop_on_signal)
            decisions_known = anyio.Event()
            self._tasks.start_soon(self._open_decisions, decisions_known)
            with anyio.move_on_after(DECISIONS_WITHIN_S):
                await decisions_known.wait()
            async with self._shell_link(claimed):
                log.info("backend.ready", pipe=self._pipe)
                await self._stopping.wait()
            self._tasks.cancel_scope.cancel()
        self._vault.close()

    @asynccontextmanager
    async def _shell_link(self, claimed: ClaimedDescriptors | None) -> AsyncIterator[None]:
        if claimed is None:
            with developer_ticket(self._settings.runtime_dir) as ticket:
                self._sessions.developer_ticket = ticket
                yield
            return
        link = Link(self._flusher)
        await open_stdio(link, claimed)
        self._start(self._serve_shell, link)
        yield

    @asynccontextmanager
    async def _running_log(self) -> AsyncIterator[None]:
        """The last messages are on disk before the backend ends."""
        if self._persistence is None:
            yield
            return
        await self._persistence.start()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._persistence.close()

    async def _tick(self) -> None:
        while True:
            await anyio.sleep(TICK_S)
            self._bus.tick()

    def _prepare(self) -> None:
        self._settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._decisions.load_file()

    def _accept(self, link: Link) -> None:
        if self._strangers >= MAX_STRANGERS:
            log.warning("link.too_many_without_session")
            link.abort()
        else:
            self._start(self._serve, link)

    def _start(self, serve: Callable[[Link], Coroutine[Any, Any, None]], link: Link) -> None:
        if self._tasks is None:
            link.close()
        else:
            self._tasks.start_soon(serve, link)

    async def _serve_shell(self, link: Link) -> None:
        """The shell is gone when its link is; then so is the backend."""
        try:
            await self._serve(link, shell_link=True)
        finally:
            self._stopping.set()

    async def _serve(self, link: Link, *, shell_link: bool = False) -> None:
        async def dispatch(method: str, params: Raw, request_id: bytes) -> bytes:
            call = Call(connection, request_id)
            return await self._dispatcher.dispatch(call, method, params, request_id)

        peer = Peer(link, dispatch)
        connection = Connection(peer, shell_link=shell_link)
        heartbeat = self._heartbeat(link, connection)
        try:
            async with anyio.create_task_group() as tasks:
                if not shell_link:
                    heartbeat.start()
                    tasks.start_soon(self._await_session, connection, link)
                await peer.run()
                tasks.cancel_scope.cancel()
        except Exception:
            log.exception("link.failed")
        finally:
            heartbeat.stop()
            self._sessions.leave(connection)

    async def _await_session(self, connection: Connection, link: Link) -> None:
        """A link that does not become a session in time is closed."""
        self._strangers += 1
        try:
            with anyio.move_on_after(SESSION_WITHIN_S):
                await connection.opened.wait()
        finally:
            self._strangers -= 1
        if not connection.has_session:
            log.warning("link.no_session")
            link.abort()

    def _heartbeat(self, link: Link, connection: Connection) -> Heartbeat:
        """Any bytes are a sign of life; the answer to the question is not waited for."""

        def ask() -> None:
            if connection.has_session:
                connection.peer.send(rpc.request("session.ping", {}, HEARTBEAT_ID))

        def on_dead() -> None:
            log.warning("link.silent", session=connection.has_session)
            link.abort()

        wanted = self._settings.config.heartbeat
        return Heartbeat(
            link, ask, on_dead, interval_s=wanted.interval_s, deadline_s=wanted.deadline_s
        )

    async def _stop_on_signal(self) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for number in signals:
                log.info("backend.signal", signal=signal.Signals(number).name)
                self._stopping.set()

    async def _prompt(self, identity: Sender, grant: Grant, reason: str | None) -> Answer:
        app = self._apps.get(identity.app)
        who = AppIdentity(
            app=identity.app,
            name=app.name if app else identity.app,
            publisher=app.publisher if app else "unknown publisher",
        )
        return Answer(*await self._dialogs.ask(who, grant, reason))

    def _grants_changed(self, app: str) -> None:
        self._bus.grants_changed(app)

    def _app_changed(self, status: AppStatus) -> None:
        self._shell.notify("apps.changed", AppChangedParams(status=status))

    def _vault_changed(self, status: VaultStatus) -> None:
        self._shell.notify("vault.changed", VaultChangedParams(status=status))
        if status.state == "unlocked" and self._tasks is not None:
            self._tasks.start_soon(self._open_decisions, anyio.Event())

    async def _open_decisions(self, known: anyio.Event) -> None:
        await self._decisions.open()
        known.set()
        for app in {decision.app for decision in self._decisions.decisions}:
            self._grants_changed(app)

    def _bus_health(self) -> ComponentHealth:
        stats = self._bus.statistics()
        words = f"{stats.clients} clients, {stats.subscriptions} subscriptions"
        return ComponentHealth(status="ok", detail=words)

    def _persistence_health(self) -> ComponentHealth:
        if self._persistence is None:
            return ComponentHealth(status="off", detail="switched off in the configuration")
        status: Status = "ok" if self._persistence.state.status == "ok" else "degraded"
        return ComponentHealth(status=status, detail=self._persistence.state.detail or UNSET)

    def _log_stats(self) -> LogStats:
        if self._persistence is None:
            return LogStats(enabled=False, state="off", detail="", figures={})
        state = self._persistence.state
        figures = msgspec.to_builtins(self._persistence.statistics())
        return LogStats(enabled=True, state=state.status, detail=state.detail, figures=figures)

    def _shell_health(self) -> ComponentHealth:
        if self._shell.connected:
            return ComponentHealth(status="ok")
        return ComponentHealth(status="off", detail="no shell: windows and prompts can't be shown")

    def _permissions_health(self) -> ComponentHealth:
        problem = self._decisions.problem
        if problem:
            return ComponentHealth(status="degraded", detail=problem)
        return ComponentHealth(status="ok")


def _persistence(settings: Settings, vault: Vault) -> MessagePersistence | None:
    wanted = settings.config.persistence
    if not wanted.enabled:
        return None
    retention = Retention(
        max_segments=wanted.max_segments,
        max_age_ms=int(wanted.max_age_days * 24 * 3600 * 1000),
        max_bytes=wanted.max_bytes,
    )
    return MessagePersistence(
        settings.data_dir / MESSAGE_FOLDER,
        retention=retention,
        compress=wanted.compress,
        sealer=SensitiveTopics(vault, wanted.sensitive) if wanted.sensitive else None,
    )


def _rules(app: AppConfig) -> AppRules:
    return AppRules(tuple(app.grants), tuple(app.declares))


def _plan(app: AppConfig, folder: Path) -> AppPlan:
    window = None
    if not isinstance(app.window, UnsetType):
        window = WindowDescriptor(
            window=app.id,
            app=app.id,
            client="window",
            title=app.name if app.window.title is UNSET else app.window.title,
            url=absolute_url(app.window.url, folder),
            width=app.window.width,
            height=app.window.height,
            x=app.window.x,
            y=app.window.y,
        )
    program = None
    if not isinstance(app.process, UnsetType):
        program = Program(
            command=tuple(app.process.command),
            cwd=folder / app.process.cwd,
            env=app.process.env,
        )
    return AppPlan(app.id, app.name, window, program)
