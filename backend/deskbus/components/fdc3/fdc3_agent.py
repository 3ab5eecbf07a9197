"""Fdc3Agent: the desktop agent, joined with the bus, the permissions, the apps and the screens."""

import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

import anyio
import anyio.to_thread
import structlog
from msgspec import UNSET, Raw, UnsetType

from deskbus.bus.route import BusClient, Rank, Reader
from deskbus.components.access.access_control import AccessControl
from deskbus.components.apps.app_processes import AppProcesses
from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.component_settings import spec_of
from deskbus.components.connections.browser_apps import BrowserApps
from deskbus.components.connections.connections import Connections
from deskbus.components.fdc3.browser_desktops import BrowserDesktops
from deskbus.components.fdc3.directory_apps import directory_app, records_of_configuration
from deskbus.components.fdc3.fdc3_choices import PersonChooses, choose_channel
from deskbus.components.messaging.channel_access import AGENT
from deskbus.components.messaging.messaging import Messaging
from deskbus.config import Fdc3Config
from deskbus.contracts.audit_sink import AuditSink
from deskbus.contracts.log_query import LogQuery
from deskbus.fdc3.agent import CLEARED, AgentCore, AgentPorts
from deskbus.fdc3.dacp.service import Fdc3Service
from deskbus.fdc3.directory.app_directory import AppDirectory, own_id
from deskbus.fdc3.directory.icons import Icons
from deskbus.fdc3.directory.sources import DirectorySources, Loaded
from deskbus.fdc3.layout import ChannelLayout
from deskbus.languages.health_words import phrase, told
from deskbus.security.permission_request import Permit
from deskbus.storage.awake_clock import awake_s, tick_every
from deskbus.ui.choice_dialogs import ChoiceDialogs
from deskbus.ui.shell import Shell
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import Fdc3Delivered
from deskbus_protocol.fdc3 import (
    CHANNEL_TOPICS,
    METADATA_HEADER,
    Fdc3TraceEntry,
    context_scope,
    intent_scope,
)
from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.permissions import Grant, GrantParams
from deskbus_protocol.topics import overlaps

TICK_S = 0.1
"""How late a timeout of FDC3's may be."""

DIRECTORY_FOLDER = "appd"
"""The folder, below the data folder, for the last copies of downloaded directories."""

MAX_PROBLEM = 2000
"""Characters of what is wrong with the app directory."""

MAX_READERS_NAMED = 50
"""Readers of one context that the audit log names; of more it has the number."""

HOLDING = frozenset({"fdc3.context.read", "fdc3.handle"})
"""Permissions for a listener: allowed once, they hold until its client has ended."""

log = structlog.get_logger()


class Fdc3Agent:
    """`Fdc3` where it is on."""

    def __init__(
        self,
        run: BackendRun,
        config: Fdc3Config,
        messaging: Messaging,
        access: AccessControl,
        apps: AppProcesses,
        shell: Shell,
        auditing: Auditing,
        connections: Connections,
        browser_apps: BrowserApps,
    ) -> None:
        self._settings = settings = run.settings
        self._config = config
        self._messaging = messaging
        self._access = access
        self._apps = apps
        self._shell = shell
        self._loops = run.loops
        self.choices = ChoiceDialogs(shell, timeout_s=settings.config.consent.timeout_s)
        self._icons = Icons()
        self.desktops = BrowserDesktops(
            lambda: self.agent, connections.sessions, browser_apps.apps, self._icons
        )
        self._bus = AgentBus(messaging)
        self._sources = DirectorySources(
            config.directories, settings.folder, settings.data_dir / DIRECTORY_FOLDER
        )
        agent = AgentCore(
            AppDirectory(records_of_configuration(settings.config.apps)),
            AgentPorts(
                bus=self._bus,
                access=AgentAccess(access, self._refused),
                launcher=InstanceLauncher(access, apps, self.desktops, shell),
                chooser=PersonChooses(
                    self.choices,
                    lambda: self.agent,
                    self.desktops.screen_of,
                    self._remember,
                    self._icons,
                ),
                clock_ms=messaging.bus.broker.clock_ms,
                now_s=awake_s,
                new_id=lambda: str(uuid.uuid4()),
                new_trace=lambda: secrets.token_hex(16),
                delivered=DeliveryAudit(access, auditing.trail).note,
            ),
            provider_version=version("deskbus"),
            version=config.version,
        )
        self.service = Fdc3Service(agent)
        self.layout = ChannelLayout(agent)
        agent.began.add(self.desktops.began)
        messaging.client_ended.add(agent.client_ended)
        messaging.client_ended.add(self.desktops.client_ended)
        if browser_apps.apps is not None:
            browser_apps.apps.show_desktop(self.desktops.frame_origins)
        access.changed.add(lambda _: agent.listeners_changed())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        agent = self.agent
        loaded = await anyio.to_thread.run_sync(self._sources.load)
        self._take_in(agent, loaded)
        await self._take_back(agent)
        self._bus.listen(agent.take)
        tick = partial(tick_every, TICK_S, agent.tick)
        async with self._icons.running(), self.service.running(), self._loops.running(tick):
            yield

    @property
    def agent(self) -> AgentCore:
        return self.service.agent

    def browsers(self) -> BrowserDesktops:
        return self.desktops

    def here(self) -> Fdc3Service:
        return self.service

    def may_join(self, only_app: str, identity: ClientId) -> bool:
        return self.desktops.may_join(only_app, identity)

    async def choose_channel(self, identity: ClientId) -> None:
        """Has a person choose the user channel of a window; raises `DeskbusError`."""
        screen = self.desktops.screen_of(identity)
        await choose_channel(self.agent, self.choices, identity, screen)

    def _refused(self, identity: ClientId, wanted: Grant) -> None:
        """Told where the person is, if that is in a browser, and there is no shell to ask in."""
        if self._shell.connected:
            return
        words = self._access.unasked_words(self._shell.language, identity.app, wanted)
        self.desktops.refused(identity, words)

    async def _remember(self, app: str, chosen: Grant) -> None:
        """Keeps a person's choice among the app's permissions; raises `DeskbusError`."""
        wanted = GrantParams(app=app, permission=chosen.permission, scope=chosen.scope)
        await self._access.settings.grant(wanted)

    def health(self) -> ComponentHealth:
        if self._sources.problems:
            words = "; ".join(f"{name}: {why}" for name, why in self._sources.problems.items())
            return told("degraded", phrase("directory-problem", words=words[:MAX_PROBLEM]))
        return told("ok", phrase("directory", count=len(self.service.agent.directory)))

    def _take_in(self, agent: AgentCore, loaded: list[Loaded]) -> None:
        """Takes in a record. The configuration decides what its app is; the record adds FDC3's
        data.
        """
        config = self._config
        loaded = [one for one in loaded if one.record.speaks(config.version)]
        own = records_of_configuration(self._settings.config.apps)
        agent.directory_changed(AppDirectory([*(one.record for one in loaded), *own]))
        self._icons.directory_changed(
            {
                one.record.app_id: one.folder
                for one in loaded
                if one.folder is not None
                and agent.directory.record(one.record.app_id) is one.record
            }
        )
        configured = {app.id for app in self._settings.config.apps}
        wanted = {own_id(record) for record in agent.directory}
        for one in loaded:
            app = own_id(one.record)
            if agent.directory.record(one.record.app_id) is not one.record:
                continue
            if not one.local and app in configured:
                # A directory from elsewhere has no say in what an app of this machine may do.
                log.warning("fdc3.record_not_ours", app=app)
                continue
            made = directory_app(one.record, config.consent, wanted, local=one.local)
            self._access.declare_from_directory(made.manifest, self._settings.folder, made.grants)
            if not self._apps.manager.has(app) and made.can_run:
                plan = spec_of(
                    made.manifest,
                    self._settings.folder,
                    administered=False,
                    fdc3=self._settings.fdc3_version,
                )
                self._apps.manager.add(plan)

    async def _take_back(self, agent: AgentCore) -> None:
        """The last contexts of earlier runs, of channels whose topics are persisted."""
        log_of_topics = self._messaging.log
        if not log_of_topics.available:
            return
        try:
            wanted = LogQuery(wants=lambda topic: topic.startswith(f"{CHANNEL_TOPICS}."))
            async for block in log_of_topics.read(wanted):
                for line in block.split(b"\n"):
                    if line:
                        agent.take_back(line)
        except DeskbusError as error:
            log.warning("fdc3.contexts_not_restored", reason=error.kind.name)


class DeliveryAudit:
    """Tells the audit log which clients saw a context or got an intent, and by what permission."""

    def __init__(self, access: AccessControl, trail: AuditSink) -> None:
        self._checker = access.security.checker
        self._trail = trail

    def note(self, entry: Fdc3TraceEntry) -> None:
        if entry.kind == "result" or entry.kind == "refused":
            return
        sends, reads = self._grants(entry)
        named = [self._reader(each, reads) for each in entry.to[:MAX_READERS_NAMED]]
        self._trail.note(
            Fdc3Delivered(
                app=entry.source.app,
                client=entry.source.client,
                trace_id=entry.trace_id,
                kind=entry.kind,
                context_type=entry.context_type,
                channel=entry.channel,
                intent=entry.intent,
                allowed_by=self._why(entry.source, sends),
                readers=", ".join(named),
                count=len(entry.to),
                app_trace_id=entry.app_trace_id,
            )
        )

    def _grants(self, entry: Fdc3TraceEntry) -> tuple[Grant | None, Grant | None]:
        """The permissions that it took to send it, and to get it; None where none is needed."""
        if entry.intent:
            scope = intent_scope(entry.intent, entry.context_type)
            return Grant("fdc3.raise", scope), Grant("fdc3.handle", scope)
        if entry.kind == "open":
            return None, Grant("fdc3.context.read", context_scope(None, entry.context_type))
        if entry.private:
            return None, None
        scope = context_scope(entry.channel, entry.context_type)
        return Grant("fdc3.context.write", scope), Grant("fdc3.context.read", scope)

    def _reader(self, reader: ClientId, wanted: Grant | None) -> str:
        return f"{reader.app}/{reader.client} ({self._why(reader, wanted)})"

    def _why(self, identity: ClientId, wanted: Grant | None) -> str:
        if wanted is None:
            return "given to it"
        return self._checker.verdict_of(identity, wanted).why


class AgentBus:
    """The agent's end of the bus: `ContextBus`."""

    def __init__(self, messaging: Messaging) -> None:
        self._bus = messaging.bus
        self._access = messaging.access
        self._client = BusClient(AGENT, messaging.bus.broker.epoch)

    def listen(self, take: Callable[[bytes], None]) -> None:
        """Gives every context that is published on a channel to `take`, at once."""
        reader = Reader(self._client, Rank.LIVE, _Outlet(take))
        self._bus.broker.subscribe(self._client, f"{CHANNEL_TOPICS}.#", reader)

    def open_inbox(self, identity: ClientId, inbox: str) -> None:
        self._access.give_inbox(inbox, identity)
        self._bus.subscribe(identity, inbox, "live")

    def post(self, inbox: str, message: bytes) -> None:
        self._bus.broker.publish(self._client, inbox, Raw(message))

    def publish(self, sender: ClientId, topic: str, context: Raw, trace_id: str, more: Raw) -> None:
        member = self._bus.member(sender)
        options = PublishParams(
            topic=topic,
            payload=context,
            correlation_id=trace_id,
            headers=UNSET if more == CLEARED else {METADATA_HEADER: bytes(more).decode()},
        )
        with self._access.lending(sender, topic):
            self._bus.broker.publish(member.client, topic, context, options)

    def forget(self, topic: str) -> None:
        self._access.take_inbox(topic)
        self._client.writable.pop(topic, None)
        self._bus.broker.topics.forget_history(topic)


class _Outlet:
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def put(self, line: bytes, topic: str | None, _: int) -> None:
        try:
            self._take(line)
        except Exception:  # a context that breaks the agent must not break its publish
            log.exception("fdc3.context_not_handed_out", topic=topic)


class AgentAccess:
    """Permissions as the agent asks for them: `Access`."""

    def __init__(
        self, access: AccessControl, on_refused: Callable[[ClientId, Grant], None]
    ) -> None:
        """`on_refused` is told what was refused."""
        self._security = access.security
        self._on_refused = on_refused

    def may(self, identity: ClientId, wanted: Grant) -> bool:
        granted = self._security.checker.still_permits(Permit(identity, wanted))
        if granted:
            self._security.checker.note_use(identity, wanted)
        return granted

    def may_part(self, identity: ClientId, wanted: Grant) -> bool:
        if self.may(identity, wanted):
            return True
        checker = self._security.checker
        if checker.once.is_leased(identity, wanted):
            return True
        return any(
            rule.allow
            and rule.permission == wanted.permission
            and (isinstance(rule.scope, UnsetType) or overlaps(rule.scope, wanted.scope))
            for rule in checker.effective(identity.app)
        )

    def can_have(self, identity: ClientId, permission: str) -> bool:
        return self._security.checker.can_have(identity, permission)

    async def ask(self, identity: ClientId, wanted: Grant) -> bool:
        try:
            permit = await self._security.permissions.require(identity, wanted)
        except DeskbusError:
            self._on_refused(identity, wanted)
            return False
        if permit.once and wanted.permission in HOLDING:
            self._security.checker.once.lease(identity, wanted)
        return True


class InstanceLauncher:
    """Opens instances of apps as windows or processes: `Launcher`."""

    def __init__(
        self, access: AccessControl, apps: AppProcesses, desktops: BrowserDesktops, shell: Shell
    ) -> None:
        self._access = access
        self._apps = apps
        self._desktops = desktops
        self._shell = shell

    def has(self, app: str) -> bool:
        return self._apps.manager.has(app)

    async def close(self, identity: ClientId) -> bool:
        if self._desktops.close(identity):
            return True
        return await self._apps.manager.close_window(f"{identity.app}/{identity.client}")

    async def open(self, app: str, on_client: Callable[[ClientId], None], opener: ClientId) -> None:
        await self._access.check_launch(app)
        desktop = self._desktops.place_for(app, opener, has_shell=self._shell.connected)
        if desktop is not None:
            await self._desktops.open(desktop, app, on_client)
            return
        await self._apps.manager.open_instance(app, lambda name: on_client(ClientId(app, name)))
