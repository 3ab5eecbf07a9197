"""The backend's table of contents: its components, in the order in which they start.

They end in the other order. Nothing but this knows them all.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import anyio
import structlog

from deskbus.components.access.access_control import AccessControl
from deskbus.components.access.shell_safe_storage import ShellSafeStorage, UnlockByShell
from deskbus.components.apps.app_processes import AppProcesses
from deskbus.components.apps.app_traces import AppTraces
from deskbus.components.audit.auditing import Auditing
from deskbus.components.connections.connection_acceptor import ConnectionAcceptor
from deskbus.components.connections.endpoint import Endpoint
from deskbus.components.connections.sessions import Sessions
from deskbus.components.connections.web_gateway import WebGateway, web_apps_of
from deskbus.components.control.control_centre import ControlCentre
from deskbus.components.fdc3.fdc3_agent import Fdc3Agent
from deskbus.components.late_imports import LateImports
from deskbus.components.messaging.federation_bridge import FederationBridge
from deskbus.components.messaging.messaging import Messaging
from deskbus.components.methods import dispatcher_of
from deskbus.components.monitoring.forwarding import Forwarding
from deskbus.components.monitoring.health_checks import (
    bus_check,
    permissions_check,
    persistence_check,
    shell_check,
)
from deskbus.components.monitoring.health_watch import HealthWatch
from deskbus.components.monitoring.metric_sources import (
    app_metrics,
    audit_metrics,
    build_metrics,
    bus_metrics,
    delivery_metrics,
    federation_metrics,
    forward_metrics,
    health_metrics,
    link_metrics,
    machine_metrics,
    persistence_metrics,
    security_metrics,
    tracing_metrics,
    vault_metrics,
    web_metrics,
)
from deskbus.components.monitoring.metrics import Metrics
from deskbus.components.monitoring.support_reports import SupportReports
from deskbus.components.monitoring.tracing import Tracing
from deskbus.components.user_interface import UserInterface
from deskbus.config import VAULT_FOLDER, Settings
from deskbus.contracts.component import Component
from deskbus.contracts.listeners import AsyncListeners, Listeners
from deskbus.observability.error_counts import ErrorCounts
from deskbus.observability.logs.log_pipeline import LogPipeline
from deskbus.observability.logs.standard_error import StandardError
from deskbus.observability.metrics.app_labels import AppLabels
from deskbus.observability.metrics.delivery_latency import DeliveryLatency
from deskbus.reliability.loops import Loops
from deskbus.reliability.os_signals import EndingSignals
from deskbus.reliability.resource_shortage import ResourceShortage
from deskbus.rpc.connection_table import ConnectionTable
from deskbus.security.permission_checker import ConsentMode
from deskbus.security.tickets.one_time_tickets import TicketIssuer
from deskbus.storage.awake_clock import awake_s
from deskbus.transport.outbox import Flusher
from deskbus.transport.pipe import address
from deskbus.transport.pipe_state import PipeState
from deskbus.transport.standard_descriptors import ClaimedDescriptors
from deskbus.transport.traffic import TrafficCounts
from deskbus.vault.keys.keyset import Purpose
from deskbus.vault.service import VaultService
from deskbus.vault.vault import Vault
from deskbus.web.web_state import WebState
from deskbus_protocol.secrets import VaultStatus

log = structlog.get_logger()


class Backend:
    """Serves until the shell link closes, `session.shutdown` comes, or a signal.

    With `claimed` descriptors a shell is at the other end of them; without, it is headless.
    """

    def __init__(
        self,
        settings: Settings,
        mode: ConsentMode,
        stderr: StandardError,
        logs: LogPipeline,
        claimed: ClaimedDescriptors | None = None,
    ) -> None:
        epoch = f"{int(time.time()):x}-{secrets.token_hex(2)}"
        self._stopping = anyio.Event()
        self._pipe = address(settings.runtime_dir)
        shortage = ResourceShortage()
        errors, traffic = ErrorCounts(), TrafficCounts()
        latency = DeliveryLatency() if settings.config.metrics.latency else None
        loops = Loops(shortage)
        user_interface = UserInterface(settings, loops)

        vault_changed = Listeners[VaultStatus]()
        damage_found = AsyncListeners[Purpose | None]()
        safe_storage = ShellSafeStorage(user_interface.shell)
        keys = Vault(settings.data_dir / VAULT_FOLDER, safe=safe_storage)
        vault = VaultService(
            keys, vault_changed, on_refused=damage_found, passes=logs.secrets.learn
        )
        auditing = Auditing(settings, vault, user_interface.panels, epoch)
        access = AccessControl(
            settings,
            mode,
            vault=vault,
            user_interface=user_interface,
            auditing=auditing,
            loops=loops,
        )
        messaging = Messaging(settings, keys, access, loops, epoch, latency)
        damage_found.add(auditing.record_refused)
        for part in (user_interface, auditing, messaging, access):
            vault_changed.add(part.vault_changed)
        vault_changed.add(partial(_forget_secrets, logs))

        tracing = Tracing(settings, vault, loops, epoch)
        limits = settings.config.links
        connections = ConnectionTable(limits.max_links, limits.max_links_of_app)
        sessions = Sessions(
            bus=messaging.bus,
            log=messaging.log,
            shell=user_interface.shell,
            tickets=TicketIssuer(awake_s),
            denied=auditing.refused.on_fastpath,
            minted=auditing.minted,
            security=access.security,
            connections=connections,
            tracer=tracing.tracer,
        )
        messaging.client_ended.add(sessions.forget_token)
        apps = AppProcesses(
            settings,
            user_interface=user_interface,
            vault=vault,
            trail=auditing.trail,
            sessions=sessions,
            access=access,
        )
        if tracing.tracer is not None:
            apps.changed.add(AppTraces(tracing.tracer).changed)
        federation_bridge = FederationBridge(settings, messaging, vault, access.security, loops)
        forwarding = Forwarding(settings, auditing, vault, loops, epoch)
        breakers = [
            guarded.breaker
            for guarded in (
                messaging.persistence,
                vault,
                user_interface.shell,
                federation_bridge.federation,
                tracing.exporter,
                *forwarding.forwarders,
            )
            if guarded is not None
        ]
        web_apps = web_apps_of(settings, access)
        fdc3 = Fdc3Agent(
            settings,
            messaging=messaging,
            access=access,
            apps=apps,
            shell=user_interface.shell,
            trail=auditing.trail,
            loops=loops,
            sessions=sessions,
            web_apps=web_apps,
        )
        pipe_state = PipeState(shortage.note)
        web_state = WebState(configured=web_apps is not None)
        flusher = Flusher(traffic, latency)
        health = HealthWatch(
            settings,
            epoch,
            shell=user_interface.shell,
            loops=loops,
            taken_in=lambda: traffic.received_bytes,
            checks={
                "bus": bus_check(messaging.bus),
                "persistence": persistence_check(messaging.persistence),
                "shell": shell_check(user_interface.shell),
                "permissions": permissions_check(access.store, access.policies),
                "apps": apps.manager.health,
                "vault": vault.health,
                "audit": auditing.trail.health,
                "federation": federation_bridge.health,
                "fdc3": fdc3.health,
                "log": stderr.health,
                **({} if logs.file is None else {"logFile": logs.file.health}),
                "pipe": pipe_state.health,
                "web": web_state.health,
                "resources": shortage.health,
                "tracing": tracing.health,
                **forwarding.checks,
            },
            breakers=breakers,
            on_changed=forwarding.health_changed,
        )
        labels = AppLabels(settings.config.metrics.apps)
        metrics = Metrics(
            settings,
            [
                build_metrics(),
                bus_metrics(messaging.bus, labels),
                delivery_metrics(latency),
                link_metrics(traffic, sessions, errors),
                persistence_metrics(messaging.persistence),
                app_metrics(apps.manager, labels),
                audit_metrics(auditing.trail),
                vault_metrics(vault),
                security_metrics(access.security),
                federation_metrics(federation_bridge),
                tracing_metrics(tracing),
                forward_metrics(forwarding),
                web_metrics(web_state),
                machine_metrics(health.lag, health.disk, stderr),
                health_metrics(health.monitor, breakers),
            ],
        )
        control = ControlCentre(
            loops=loops,
            messaging=messaging,
            apps=apps,
            access=access,
            vault=vault,
            health=health,
            errors=errors,
            latency=latency,
            tracing=tracing.tracer is not None,
        )
        dispatcher = dispatcher_of(
            epoch=epoch,
            pipe=self._pipe,
            shut_down=self._stopping.set,
            user_interface=user_interface,
            vault=vault,
            auditing=auditing,
            access=access,
            messaging=messaging,
            sessions=sessions,
            connections=connections,
            apps=apps,
            federation_bridge=federation_bridge,
            fdc3=fdc3,
            health=health,
            errors=errors,
            metrics=metrics,
            tracing=tracing,
            levels=logs.levels,
            support=SupportReports(
                settings,
                vault,
                auditing.reader,
                metrics.exposition,
                health=health.monitor.report,
                apps=apps.manager.statuses,
            ),
            web_apps=web_apps,
            web_state=web_state,
            control=control,
        )
        acceptor = ConnectionAcceptor(
            dispatcher,
            sessions,
            settings.config.heartbeat,
            connections,
            errors,
            on_shell_gone=self._stopping.set,
        )
        endpoint = Endpoint(
            settings,
            claimed,
            access=access,
            acceptor=acceptor,
            sessions=sessions,
            pipe_state=pipe_state,
            flusher=flusher,
            loops=loops,
        )
        web_gateway = WebGateway(
            settings,
            web_apps,
            sessions=sessions,
            acceptor=acceptor,
            violations=auditing.violations,
            access=access,
            flusher=flusher,
            status=lambda: health.monitor.report().status,
            state=web_state,
            metrics=metrics.exposition,
            vault=vault,
        )
        self._components: Sequence[Component] = (
            vault,
            tracing,
            auditing,
            forwarding,
            messaging,
            health,
            user_interface,
            UnlockByShell(user_interface.shell, vault, loops),
            access,
            acceptor,
            federation_bridge,
            apps,
            fdc3,
            EndingSignals(self._stopping.set),
            metrics,
            control,
            LateImports(dispatcher.answered, dispatcher.load, loops),
            endpoint,
            web_gateway,
        )

    async def run(self, on_ready: Callable[[str], None] = lambda _: None) -> None:
        """`on_ready` is called with the pipe's address when clients can connect."""
        async with AsyncExitStack() as running:
            for component in self._components:
                await running.enter_async_context(component.running())
            log.info("backend.ready", pipe=self._pipe)
            on_ready(self._pipe)
            await self._stopping.wait()


def _forget_secrets(logs: LogPipeline, status: VaultStatus) -> None:
    if status.state == "locked":
        logs.secrets.forget()
