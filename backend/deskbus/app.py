"""The backend's table of contents: its components, in the order in which they start.

They end in the other order. Nothing but this knows them all.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import structlog

from deskbus.components.access.access_control import AccessControl
from deskbus.components.apps.app_processes import AppProcesses
from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.capabilities import Capabilities
from deskbus.components.connections.browser_apps import BrowserApps
from deskbus.components.connections.connection_acceptor import ConnectionAcceptor
from deskbus.components.connections.connections import Connections
from deskbus.components.connections.endpoint import Endpoint
from deskbus.components.connections.web_gateway import WebGateway
from deskbus.components.control.control_centre import ControlCentre
from deskbus.components.desk_layouts import DeskLayouts
from deskbus.components.fdc3.fdc3_switch import fdc3_of
from deskbus.components.late_imports import LateImports
from deskbus.components.messaging.federation_bridge import FederationBridge
from deskbus.components.messaging.messaging import Messaging
from deskbus.components.methods import dispatcher_of
from deskbus.components.monitoring.forwarding import Forwarding
from deskbus.components.monitoring.monitoring import Monitoring
from deskbus.components.monitoring.tracing import Tracing
from deskbus.components.secrets.secret_storage import SecretStorage
from deskbus.components.user_interface import UserInterface
from deskbus.config import Settings
from deskbus.contracts.component import Component
from deskbus.observability.logs.log_pipeline import LogPipeline
from deskbus.observability.logs.standard_error import StandardError
from deskbus.reliability.os_signals import EndingSignals
from deskbus.security.permission_checker import ConsentMode
from deskbus.transport.standard_streams.standard_descriptors import ClaimedDescriptors

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
        self._run = run = BackendRun(settings)
        user_interface = UserInterface(run)
        shell = user_interface.shell
        secrets = SecretStorage(run, shell, logs.secrets)
        vault = secrets.vault
        auditing = Auditing(run, vault, user_interface.panels)
        access = AccessControl(run, mode, vault, user_interface, auditing)
        messaging = Messaging(run, secrets.keys, access)
        secrets.damaged.add(auditing.record_refused)
        for part in (user_interface, auditing, messaging, access):
            secrets.changed.add(part.vault_changed)

        tracing = Tracing(run, vault)
        connections = Connections(
            run, shell, auditing, access, messaging, tracing, headless=claimed is None
        )
        apps = AppProcesses(run, user_interface, vault, auditing, connections, access, tracing)
        federation_bridge = FederationBridge(run, messaging, vault, access.security)
        forwarding = Forwarding(run, auditing, vault)
        browser_apps = BrowserApps(run, mode, access, auditing, messaging, user_interface)
        fdc3 = fdc3_of(run, messaging, access, apps, shell, auditing, connections, browser_apps)
        layouts = DeskLayouts(run, user_interface, access, apps, fdc3.layout)
        capabilities = Capabilities(
            user_interface=user_interface,
            vault=vault,
            auditing=auditing,
            access=access,
            messaging=messaging,
            tracing=tracing,
            connections=connections,
            apps=apps,
            federation_bridge=federation_bridge,
            forwarding=forwarding,
            browser_apps=browser_apps,
            fdc3=fdc3,
            layouts=layouts,
        )
        monitoring = Monitoring(run, capabilities, stderr, logs)
        control = ControlCentre(run, capabilities, monitoring.health)
        dispatcher = dispatcher_of(run, capabilities, monitoring, control, logs.levels)
        acceptor = ConnectionAcceptor(
            dispatcher,
            connections.sessions,
            settings.config.heartbeat,
            connections.table,
            run.errors,
            on_shell_gone=run.stopping.set,
        )
        self._components: Sequence[Component] = (
            secrets,
            tracing,
            auditing,
            forwarding,
            messaging,
            monitoring.health,
            user_interface,
            access,
            acceptor,
            federation_bridge,
            apps,
            fdc3,
            layouts,
            EndingSignals(run.stopping.set),
            monitoring.metrics,
            control,
            LateImports(dispatcher.answered, dispatcher.load, run.loops),
            Endpoint(run, claimed, access, acceptor, connections),
            WebGateway(run, capabilities, acceptor, monitoring),
        )

    async def run(self, on_ready: Callable[[str], None] = lambda _: None) -> None:
        """`on_ready` is called with the pipe's address when clients can connect."""
        async with AsyncExitStack() as running:
            for component in self._components:
                await running.enter_async_context(component.running())
            log.info("backend.ready", pipe=self._run.pipe)
            on_ready(self._run.pipe)
            await self._run.stopping.wait()
