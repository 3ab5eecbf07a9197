"""AppLibrary: installs and removes apps, in every part that knows them."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import structlog
from msgspec import UnsetType, to_builtins

from deskbus.contracts.audit_sink import AuditSink, committed
from deskbus.processes.installed_apps import InstalledApp, InstalledApps
from deskbus.processes.manager import ProcessIsolationManager
from deskbus.processes.policy.secret_names import secret_refused, secret_violation
from deskbus.processes.ports import StateStore
from deskbus.processes.runtime.environment import names_secret
from deskbus.processes.spec import AppSpec
from deskbus_protocol.errors import CONFLICT, DeskbusError
from deskbus_protocol.events import AppInstalled, AppLimitsChanged, AppUninstalled
from deskbus_protocol.manifest import Limits, Manifest
from deskbus_protocol.session import is_reserved

log = structlog.get_logger()


class Admission(Protocol):
    """Decides which apps may be installed, and knows what they may ask for."""

    def admit(self, manifest: Manifest) -> None:
        """Raises `DeskbusError` (invalid_params, conflict) for an app that is not to be let in."""

    def declare(self, manifest: Manifest, folder: Path) -> None:
        """Admits an app."""

    def withdraw(self, app: str) -> None:
        """Removes an app."""


class AppLibrary:
    """`configured` are the apps of the configuration, which can't be installed over."""

    def __init__(
        self,
        installed: InstalledApps,
        apps: ProcessIsolationManager,
        *,
        configured: frozenset[str],
        spec_of: Callable[[Manifest, Path], AppSpec],
        admission: Admission,
        state_store: StateStore,
        trail: AuditSink,
    ) -> None:
        self._installed = installed
        self._apps = apps
        self._configured = configured
        self._spec_of = spec_of
        self._admission = admission
        self._state_store = state_store
        self._trail = trail

    def load(self) -> None:
        """Reads what was installed in earlier runs; blocks."""
        self._installed.load()

    def register_all(self) -> None:
        """Takes in what was read, and the limits that were set."""
        for app in self._installed.apps:
            if is_reserved(app.manifest.id):
                log.error("app.id_reserved", app=app.manifest.id)
            elif app.manifest.id not in self._configured:
                self._register(app)
        for name in self._configured:
            limits = self._installed.limits_of(name)
            if limits is not None:
                self._apps.set_limits(name, limits)

    async def install(self, manifest: Path) -> InstalledApp:
        """Raises `DeskbusError`: invalid_params, conflict, permission_denied (it names a secret of
        the configuration), degraded, audit_unavailable.
        """
        app = await self._installed.read(manifest)
        name = app.manifest.id
        if name in self._configured:
            raise DeskbusError(CONFLICT, f"{name} is in the configuration already.")
        process = app.manifest.process
        if not isinstance(process, UnsetType) and names_secret(process.env):
            await self._trail.commit(secret_violation(name, "apps.install"))
            raise secret_refused(name)
        self._admission.admit(app.manifest)
        if self._installed.find(name) is not None and not self._apps.find(name).is_idle:
            raise DeskbusError(CONFLICT, f"{name} is running.", action="Terminate it first.")
        event = AppInstalled(
            app=name,
            actor="person",
            version=app.manifest.version,
            publisher=app.manifest.publisher,
            hash=app.hash,
        )
        async with committed(self._trail, event):
            await self._installed.add(app)
            self._register(app)
        return app

    async def uninstall(self, app: str) -> None:
        """Raises `DeskbusError`: not_found, degraded, unavailable (the vault is locked),
        audit_unavailable.
        """
        self._installed.require(app)
        async with committed(self._trail, AppUninstalled(app=app, actor="person")):
            await self._apps.terminate(app)
            await self._state_store.clear(app)
            await self._installed.remove(app)
            await self._apps.remove(app)
            self._admission.withdraw(app)

    async def set_limits(self, app: str, limits: Limits) -> None:
        """Raises `DeskbusError`: not_found, degraded, audit_unavailable."""
        before = self._apps.find(app).limit_monitor.limits
        event = AppLimitsChanged(
            app=app, actor="person", before=_words(before), after=_words(limits)
        )
        async with committed(self._trail, event):
            await self._installed.set_limits(app, limits)
            self._apps.set_limits(app, limits)

    def _register(self, app: InstalledApp) -> None:
        spec = self._spec_of(app.manifest, Path(app.folder))
        self._apps.add(spec, self._installed.limits_of(app.manifest.id))
        self._admission.declare(app.manifest, Path(app.folder))


def _words(limits: Limits) -> str:
    """The limits as the command line takes them."""
    return " ".join(f"{name}={value}" for name, value in to_builtins(limits).items())
