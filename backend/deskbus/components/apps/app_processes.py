"""AppProcesses: apps' processes, joined with what they need of every other part."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from msgspec import UnsetType

from deskbus.components.access.access_control import AccessControl
from deskbus.components.apps.app_library import AppLibrary
from deskbus.components.apps.app_traces import AppTraces
from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.component_settings import spec_of
from deskbus.components.connections.connections import Connections
from deskbus.components.monitoring.tracing import Tracing
from deskbus.components.user_interface import UserInterface
from deskbus.contracts.listeners import Listeners
from deskbus.processes.installed_apps import InstalledApps
from deskbus.processes.manager import ProcessIsolationManager
from deskbus.processes.ports import AppPorts
from deskbus.processes.runtime.process_starter import ProcessStarter
from deskbus.processes.spec import MAIN_CLIENT
from deskbus.processes.system.resource_group import find_resource_groups
from deskbus.ui.renderer_processes import RendererProcesses
from deskbus.ui.utility_processes import UtilityProcesses
from deskbus.ui.windows import Windows
from deskbus.vault.per_app_store import PerAppStore
from deskbus.vault.service import VaultService
from deskbus_protocol.apps import AppState, AppStatus

LOG_FOLDER = "logs"
STATE_BYTES = 1024 * 1024
"""The limit of an app's saved state."""

ENDED: frozenset[AppState] = frozenset({"stopped", "crashed", "restarting", "failed"})
"""States in which a run of an app is over."""


class AppProcesses:
    """`changed` tells of each change of an app's state."""

    def __init__(
        self,
        run: BackendRun,
        user_interface: UserInterface,
        vault: VaultService,
        auditing: Auditing,
        connections: Connections,
        access: AccessControl,
        tracing: Tracing,
    ) -> None:
        settings, sessions, trail = run.settings, connections.sessions, auditing.trail
        self._access = access
        self.changed = Listeners[AppStatus]()
        self.changed.add(user_interface.app_changed)
        self.changed.add(self._forget_ended)
        if tracing.tracer is not None:
            self.changed.add(AppTraces(tracing.tracer).changed)
        self.renderers = RendererProcesses()
        self.utilities = UtilityProcesses(user_interface.shell)
        self.state_store = PerAppStore(vault, "appstate", STATE_BYTES)
        self._starter = ProcessStarter(
            mint=sessions.mint,
            reveal=vault.reveal,
            trail=trail,
            resource_groups=find_resource_groups(),
            forker=self.utilities,
            log_dir=settings.data_dir / LOG_FOLDER,
            pipe=run.pipe,
        )
        ports = AppPorts(
            windows=Windows(user_interface.shell),
            trail=trail,
            renderers=self.renderers,
            bus_limit=sessions.rate_limits,
            tell_app=partial(sessions.notify, client=MAIN_CLIENT),
            on_changed=self.changed,
        )
        configured = settings.config.apps
        self.manager = ProcessIsolationManager(
            [
                spec_of(app, settings.folder, administered=True, fdc3=settings.fdc3_version)
                for app in configured
            ],
            ports,
            self._starter,
            run.loops,
        )
        self.library = AppLibrary(
            InstalledApps(settings.data_dir, access.inspect),
            self.manager,
            configured=frozenset(app.id for app in configured),
            spec_of=partial(spec_of, administered=False, fdc3=settings.fdc3_version),
            admission=access,
            state_store=self.state_store,
            trail=trail,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At its end every app is ended, with its whole tree."""
        await anyio.to_thread.run_sync(self.library.load)
        self.library.register_all()
        async with self.manager.running():
            yield

    def shell_came(self, exec_path: str | None) -> None:
        """Takes in a connected shell; `exec_path` is its Electron."""
        trusted = exec_path if exec_path and Path(exec_path).is_absolute() else None
        self._starter.use_electron(trusted)

    def process_ids(self) -> list[int]:
        """The process id of each running app."""
        return [each.pid for each in self.manager.statuses() if not isinstance(each.pid, UnsetType)]

    def watchdog_ids(self) -> list[int]:
        return self._starter.watchdog.pids

    def _forget_ended(self, status: AppStatus) -> None:
        if status.state in ENDED:
            self._access.security.forget_session(status.app)
