"""Composition root: builds every part and joins them; the only place that knows them all."""

import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio
import structlog
from anyio.abc import TaskGroup

from deskbus.audit.logger import AuditLogger
from deskbus.bus.broker import MessageBroker
from deskbus.bus.interapplication import InterApplicationBus
from deskbus.bus.replay import Replays
from deskbus.checks import (
    bus_check,
    log_statistics,
    permissions_check,
    persistence_check,
    shell_check,
)
from deskbus.config import AUDIT_FOLDER, VAULT_FOLDER, Settings, hash_of
from deskbus.guard import Guard
from deskbus.handlers import apps as apps_handlers
from deskbus.handlers import bus as bus_handlers
from deskbus.handlers import federation as federation_handlers
from deskbus.handlers import files as files_handlers
from deskbus.handlers import health as health_handlers
from deskbus.handlers import history as history_handlers
from deskbus.handlers import panels as panels_handlers
from deskbus.handlers import permissions as permissions_handlers
from deskbus.handlers import policy as policy_handlers
from deskbus.handlers import secrets as secrets_handlers
from deskbus.handlers import ui as ui_handlers
from deskbus.handlers.audit import AuditHandlers
from deskbus.handlers.auditing import Auditing
from deskbus.handlers.federation import health_of, join_federation
from deskbus.handlers.session import SessionHandlers
from deskbus.handlers.sessions import Sessions
from deskbus.handlers.vault import VaultHandlers
from deskbus.isolation import Isolation
from deskbus.observability.collector import Collector
from deskbus.observability.diskspace import DiskSpace
from deskbus.observability.looplag import LoopLag
from deskbus.observability.stderr import StandardError
from deskbus.persistence.topiclog import TopicLog
from deskbus.plans import audit_of, has_keychain, persistence_of
from deskbus.processes.plan import MAIN_CLIENT
from deskbus.reception import Reception
from deskbus.reliability.awake import STOOD_STILL_S, awake_s
from deskbus.reliability.clock import SteadyClock
from deskbus.reliability.health import HealthMonitor
from deskbus.reliability.shortage import Shortage, is_shortage
from deskbus.reliability.turns import FairTurns
from deskbus.rpc.router import build_dispatcher
from deskbus.security.developer import DeveloperTicket
from deskbus.security.manager import ConsentMode
from deskbus.security.tickets import TicketOffice
from deskbus.signals import ENDING, receive_signals
from deskbus.transport.descriptors import ClaimedDescriptors
from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.pipe import PipeState, listen
from deskbus.transport.stdio import open_stdio
from deskbus.ui.consent import ConsentDialogs
from deskbus.ui.crash import CrashPages
from deskbus.ui.crashnotice import CrashNotices
from deskbus.ui.panel_audit import AuditPanel
from deskbus.ui.panel_permissions import PermissionsPanel
from deskbus.ui.panels import Panels
from deskbus.ui.shell import Shell
from deskbus.ui.vaultnotice import VaultNotice
from deskbus.vault.service import Drawer, VaultService
from deskbus.vault.vault import Vault
from deskbus_protocol.apps import AppState, AppStatus
from deskbus_protocol.envelope import Sender
from deskbus_protocol.health import ComponentHealth, HealthChangedParams
from deskbus_protocol.methods import METHODS
from deskbus_protocol.permissions import PermissionsChangedParams
from deskbus_protocol.secrets import VaultStatus

DECISIONS_WITHIN_S = 2.0
"""The keychain may wait for a person; nobody else does. What it has counts when it comes."""

AGAIN_AFTER_S = 1.0
TICK_S = 0.1
"""How late expiry and redelivery may be."""

ENDED: frozenset[AppState] = frozenset({"stopped", "crashed", "restarting", "failed"})
"""States in which a run of an app is over."""

log = structlog.get_logger()


class Backend:
    """One running backend: every service, and the links to its peers."""

    def __init__(self, settings: Settings, mode: ConsentMode, stderr: StandardError) -> None:
        self._settings = settings
        self._flusher = Flusher()
        self._stopping = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._pipe = ""
        self._shortage = Shortage()
        self._pipe_state = PipeState(self._shortage.note)
        epoch = f"{int(time.time()):x}-{secrets.token_hex(2)}"

        self._shell = Shell()
        self._dialogs = ConsentDialogs(
            self._shell,
            timeout_s=settings.config.consent.timeout_s,
            monotonic_s=time.monotonic,
        )
        self._panels = Panels(self._shell)
        self._crashes = CrashPages(self._shell, lambda: time.time_ns() // 1_000_000)
        self._crash_notices = CrashNotices(self._shell)
        vault = Vault(settings.data_dir / VAULT_FOLDER)
        self._vault = VaultService(vault, self._vault_changed, on_refused=self._record_refused)
        self._auditing = Auditing(
            AuditLogger(
                settings.data_dir / AUDIT_FOLDER,
                Drawer(self._vault, "audit", "anchor"),
                boot=epoch,
                settings=audit_of(settings.config.audit),
                has_keychain=has_keychain,
            ),
            hash_of(settings.config),
        )
        self._vault_notice = VaultNotice(self._shell, settings.data_dir.absolute())
        self._guard = Guard(
            settings,
            mode,
            vault=self._vault,
            dialogs=self._dialogs,
            trail=self._auditing.trail,
            on_changed=self._grants_changed,
        )
        self._security = self._guard.security
        audit_panel = AuditPanel(
            self._auditing.reader, on_changed=lambda: self._panels.changed("audit")
        )
        self._auditing.trail.on_appended = audit_panel.appended
        self._panels.add(audit_panel)
        self._panels.add(PermissionsPanel(self._guard.settings))
        clock = SteadyClock()
        self._persistence = persistence_of(settings, vault, clock)
        self._log = TopicLog(self._persistence, settings.config.persistence.topics)
        self._bus = InterApplicationBus(
            MessageBroker(epoch, self._security, self._log, clock),
            self._security,
            on_gone=self._security.forget_session,
            on_ended=self._client_ended,
        )
        self._tickets = tickets = TicketOffice(awake_s)
        self._sessions = Sessions(
            bus=self._bus,
            log=self._log,
            shell=self._shell,
            tickets=tickets,
            denied=self._auditing.refused.on_lane,
            on_fresh=self._security.forget_client,
            trust=self._security.trust,
            distrust=self._security.distrust,
        )
        self._isolation = Isolation(
            settings,
            shell=self._shell,
            vault=self._vault,
            trail=self._auditing.trail,
            mint=self._mint,
            meters=self._sessions.meters,
            tell_app=partial(self._sessions.notify, client=MAIN_CLIENT),
            admission=self._guard,
            on_changed=self._app_changed,
        )
        self._processes = self._isolation.apps
        self._federation = join_federation(
            settings, self._bus.broker, self._log, self._vault.resolve, self._security.trust
        )
        self._lag = LoopLag()
        self._collector = Collector(lambda: self._bus.broker.messages_in)
        self._disk = DiskSpace(settings.data_dir)
        self._health = health = HealthMonitor(epoch, on_changed=self._health_changed)
        health.watch("bus", bus_check(self._bus))
        health.watch("persistence", persistence_check(self._persistence))
        health.watch("shell", shell_check(self._shell))
        health.watch("permissions", permissions_check(self._guard.store, self._guard.policies))
        health.watch("apps", self._processes.health)
        health.watch("vault", self._vault.health)
        health.watch("audit", self._auditing.trail.health)
        health.watch("federation", health_of(self._federation))
        health.watch("eventLoop", self._lag.health)
        health.watch("disk", self._disk.health)
        health.watch("log", stderr.health)
        health.watch("pipe", self._pipe_state.health)
        health.watch("resources", self._shortage.health)
        for guarded in (self._persistence, self._vault, self._shell, self._federation):
            if guarded is not None:
                health.watch_breaker(guarded.breaker)
        replays = Replays(self._bus, self._log)
        # The vault does one thing after the other: what an app wants next waits for one of another.
        vault_turns = FairTurns(2, of_one=1)
        dispatcher = build_dispatcher(
            METHODS,
            [
                SessionHandlers(
                    epoch=epoch,
                    pipe=lambda: self._pipe,
                    tickets=tickets,
                    sessions=self._sessions,
                    auditing=self._auditing,
                    shut_down=self._stopping.set,
                    on_shell=self._isolation.shell_came,
                    on_opened=self._processes.session_opened,
                ).table(),
                bus_handlers.handlers(self._bus, replays, self._security, self._sessions.meters),
                history_handlers.handlers(
                    self._bus,
                    replays,
                    self._security,
                    lambda: log_statistics(self._persistence),
                ),
                permissions_handlers.handlers(self._security, self._guard.settings),
                policy_handlers.handlers(self._guard.policies),
                files_handlers.handlers(self._guard.files, self._security),
                AuditHandlers(self._auditing.trail, self._auditing.reader, self._security).table(),
                secrets_handlers.handlers(self._vault, self._security, vault_turns),
                VaultHandlers(self._vault, self._auditing.trail).table(),
                apps_handlers.handlers(
                    self._processes,
                    self._isolation.library,
                    self._security,
                    self._guard.check_launch,
                ),
                apps_handlers.own_handlers(self._processes, self._isolation.shelf, vault_turns),
                ui_handlers.handlers(
                    self._dialogs,
                    self._processes,
                    self._isolation.renderers,
                    self._isolation.utilities,
                ),
                panels_handlers.handlers(self._panels),
                health_handlers.handlers(health),
                federation_handlers.handlers(self._federation),
            ],
            self._auditing.refused.by_dispatcher,
        )
        self._reception = Reception(
            dispatcher,
            self._sessions,
            settings.config.heartbeat,
            on_shell_gone=self._stopping.set,
        )

    async def run(
        self,
        claimed: ClaimedDescriptors | None = None,
        on_ready: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Serves until the shell link closes, `session.shutdown` comes, or a signal.

        `on_ready` is called with the pipe's address when clients can connect.

        With `claimed` descriptors a shell is at the other end of them; without, the backend is
        headless and writes a developer ticket beside its pipe.
        """
        await anyio.to_thread.run_sync(self._prepare)
        async with (
            self._auditing.running(),
            self._running_log(),
            listen(
                self._settings.runtime_dir, self._flusher, self._reception.accept, self._pipe_state
            ) as self._pipe,
            anyio.create_task_group() as self._tasks,
        ):
            await self._guard.prepare()
            self._tasks.start_soon(self._auditing.compare_grants, self._guard.settings.configured())
            self._isolation.library.take_in()
            self._isolation.around.pipe = self._pipe
            self._keep(awake_s.run)
            await self._tasks.start(self._reception.run)
            if self._federation is not None:
                self._tasks.start_soon(self._federation.run)
            self._tasks.start_soon(self._processes.run)
            self._keep(self._security.run)
            self._keep(partial(self._guard.watch, self._bus.refresh))
            self._keep(self._panels.run)
            self._keep(self._crashes.run)
            self._keep(self._tick)
            for watch in (self._health, self._lag, self._disk, self._collector):
                self._keep(watch.run)
            self._tasks.start_soon(self._stop_on_signal)
            decisions_known = anyio.Event()
            self._tasks.start_soon(self._open_guard, decisions_known)
            with anyio.move_on_after(DECISIONS_WITHIN_S):
                await decisions_known.wait()
            async with self._peers(claimed):
                log.info("backend.ready", pipe=self._pipe)
                on_ready(self._pipe)
                await self._stopping.wait()
            self._tasks.cancel_scope.cancel()
        self._vault.close()

    @asynccontextmanager
    async def _peers(self, claimed: ClaimedDescriptors | None) -> AsyncIterator[None]:
        """Lets the shell in, and tools where there is no shell or the configuration allows them."""
        async with AsyncExitStack() as stack:
            if claimed is None or self._settings.config.tools:
                ticket = DeveloperTicket(self._settings.runtime_dir)
                ticket.write()
                stack.callback(ticket.remove)
                self._sessions.developer_ticket = ticket.text
                self._keep(partial(self._keep_ticket, ticket))
            if claimed is not None:
                link = Link(self._flusher)
                await open_stdio(link, claimed)
                self._reception.accept_shell(link)
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

    def _keep(self, run: Callable[[], Awaitable[None]]) -> None:
        """Runs a part for as long as the backend does; one that fails ends none of the others."""

        async def run_again() -> None:
            while True:
                try:
                    await run()
                except Exception as error:
                    log.exception("component.failed")
                    words = "file descriptors or threads" if is_shortage(error) else "failures"
                    self._shortage.note(f"rounds of a component, for {words}")
                    await anyio.sleep(AGAIN_AFTER_S)
                else:
                    return

        if self._tasks is not None:
            self._tasks.start_soon(run_again)

    async def _keep_ticket(self, ticket: DeveloperTicket) -> None:
        while True:
            await anyio.sleep(AGAIN_AFTER_S)
            ticket.write_again()

    async def _tick(self) -> None:
        while True:
            before_s = time.monotonic()
            await anyio.sleep(TICK_S)
            if time.monotonic() - before_s >= TICK_S + STOOD_STILL_S:
                # Who came back while this process stood still is let in before anything expires.
                await anyio.sleep(STOOD_STILL_S)
            self._bus.tick()
            self._security.tick()

    def _prepare(self) -> None:
        self._settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._isolation.library.load()

    async def _stop_on_signal(self) -> None:
        with receive_signals(*ENDING) as signals:
            async for number in signals:
                log.info("backend.signal", signal=number.name)
                self._stopping.set()

    def _record_refused(self, purpose: str | None) -> None:
        self._auditing.record_refused(purpose)

    def _client_ended(self, identity: Sender) -> None:
        self._sessions.forget_token(identity)
        self._security.forget_client(identity)

    def _mint(self, identity: Sender) -> str:
        ticket = self._tickets.mint(identity)
        self._auditing.minted(identity)
        return ticket

    def _grants_changed(self, app: str) -> None:
        self._bus.grants_changed(app, self._security.epoch)
        changed = PermissionsChangedParams(app=app, epoch=self._security.epoch)
        self._shell.notify("permissions.changed", changed)
        self._panels.changed("permissions")

    def _app_changed(self, status: AppStatus) -> None:
        self._crashes.told(status)
        self._crash_notices.told(status)
        if status.state in ENDED:
            self._security.forget_session(status.app)

    def _health_changed(self, component: str, health: ComponentHealth) -> None:
        log.log(
            logging.INFO if health.status == "ok" else logging.WARNING,
            "health.changed",
            component=component,
            status=health.status,
            detail=health.detail or "",
        )
        changed = HealthChangedParams(component=component, health=health)
        self._shell.tell("health.changed", component, changed)

    def _vault_changed(self, status: VaultStatus) -> None:
        self._vault_notice.changed(status)
        self._auditing.vault_changed(status)
        if self._persistence is not None:
            self._persistence.vault_changed()
        if status.state == "unlocked" and self._tasks is not None:
            self._tasks.start_soon(self._guard.reopen)

    async def _open_guard(self, known: anyio.Event) -> None:
        await self._guard.open()
        known.set()
