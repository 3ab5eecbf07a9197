"""Joins the isolation of processes with what it needs of every other part."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from deskbus.bus.meters import Meters
from deskbus.config import Settings
from deskbus.guard import Guard
from deskbus.handlers.applibrary import AppLibrary
from deskbus.observability.trail import AuditTrail
from deskbus.plans import plan_of
from deskbus.processes.cage import find_cages
from deskbus.processes.installed import InstalledApps
from deskbus.processes.manager import ProcessIsolationManager
from deskbus.processes.plan import TellApp
from deskbus.processes.surroundings import Surroundings
from deskbus.ui.renderers import Renderers
from deskbus.ui.shell import Shell
from deskbus.ui.utility import UtilityProcesses
from deskbus.ui.windows import Windows
from deskbus.vault.service import VaultService
from deskbus.vault.shelf import Shelf
from deskbus_protocol.apps import AppChangedParams, AppStatus
from deskbus_protocol.envelope import Sender

LOG_FOLDER = "logs"
STATE_BYTES = 1024 * 1024
"""What an app's saved state may have."""


class Isolation:
    """The parts that stand around apps. `admission` says which may be installed."""

    def __init__(
        self,
        settings: Settings,
        *,
        shell: Shell,
        vault: VaultService,
        trail: AuditTrail,
        mint: Callable[[Sender], str],
        meters: Meters,
        tell_app: TellApp,
        admission: Guard,
        on_changed: Callable[[AppStatus], None],
    ) -> None:
        self._shell = shell
        self._on_changed = on_changed
        self.renderers = Renderers()
        self.utilities = UtilityProcesses(shell)
        self.shelf = Shelf(vault, "appstate", STATE_BYTES)
        self.around = Surroundings(
            windows=Windows(shell),
            mint=mint,
            on_changed=self._changed,
            reveal=vault.reveal,
            trail=trail,
            cages=find_cages(),
            forker=self.utilities,
            renderers=self.renderers,
            meter=meters,
            shelf=self.shelf,
            tell_app=tell_app,
            log_dir=settings.data_dir / LOG_FOLDER,
        )
        configured = settings.config.apps
        self.apps = ProcessIsolationManager(
            [plan_of(app, settings.folder, administered=True) for app in configured], self.around
        )
        self.library = AppLibrary(
            InstalledApps(settings.data_dir, admission.hash_of),
            self.apps,
            configured=frozenset(app.id for app in configured),
            plan_of=partial(plan_of, administered=False),
            admission=admission,
            shelf=self.shelf,
            trail=trail,
        )

    def shell_came(self, exec_path: str | None) -> None:
        """A shell is connected; `exec_path` is its Electron."""
        self.around.electron = exec_path if exec_path and Path(exec_path).is_absolute() else None

    def _changed(self, status: AppStatus) -> None:
        self._shell.tell("apps.changed", status.app, AppChangedParams(status=status))
        self._on_changed(status)
