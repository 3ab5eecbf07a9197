"""AppLibrary: lets an app in and out, everywhere that has to know of it."""

from collections.abc import Callable
from pathlib import Path

from deskbus.observability.trail import AuditTrail
from deskbus.processes.installed import InstalledApp, InstalledApps
from deskbus.processes.manager import ProcessIsolationManager
from deskbus.processes.plan import AppPlan, StateShelf
from deskbus_protocol.errors import CONFLICT, DeskbusError
from deskbus_protocol.events import AppInstalled
from deskbus_protocol.manifest import Limits, Manifest


class AppLibrary:
    """`configured` are the apps of the configuration, which can't be installed over.

    `declare` is told an app's manifest, or None when it has gone.
    """

    def __init__(
        self,
        installed: InstalledApps,
        apps: ProcessIsolationManager,
        *,
        configured: frozenset[str],
        plan_of: Callable[[Manifest, Path], AppPlan],
        declare: Callable[[str, Manifest | None], None],
        shelf: StateShelf,
        trail: AuditTrail,
    ) -> None:
        self._installed = installed
        self._apps = apps
        self._configured = configured
        self._plan_of = plan_of
        self._declare = declare
        self._shelf = shelf
        self._trail = trail

    def load(self) -> None:
        """Reads what was installed in earlier runs; blocks."""
        self._installed.load()

    def take_in(self) -> None:
        """Takes in what was read, and the limits that were set."""
        for app in self._installed.apps:
            if app.manifest.id not in self._configured:
                self._take_in(app)
        for name in self._configured:
            limits = self._installed.limits_of(name)
            if limits is not None:
                self._apps.set_limits(name, limits)

    async def install(self, manifest: Path) -> InstalledApp:
        """Raises `DeskbusError`: invalid_params, conflict, degraded, audit_unavailable."""
        app = await self._installed.read(manifest)
        name = app.manifest.id
        if name in self._configured:
            raise DeskbusError(CONFLICT, f"{name} is in the configuration already.")
        if self._installed.find(name) is not None and self._apps.find(name).state != "stopped":
            raise DeskbusError(CONFLICT, f"{name} is running.", action="Terminate it first.")
        await self._trail.commit(
            AppInstalled(
                app=name,
                actor="person",
                version=app.manifest.version,
                publisher=app.manifest.publisher,
                hash=app.hash,
            )
        )
        await self._installed.add(app)
        self._take_in(app)
        return app

    async def uninstall(self, app: str) -> None:
        """Raises `DeskbusError`: not_found, degraded, unavailable (the vault is locked)."""
        if self._installed.find(app) is not None:
            await self._apps.terminate(app)
            await self._shelf.clear(app)
        await self._installed.remove(app)
        await self._apps.remove(app)
        self._declare(app, None)

    async def set_limits(self, app: str, limits: Limits) -> None:
        """Raises `DeskbusError`: not_found, degraded."""
        self._apps.find(app)
        await self._installed.set_limits(app, limits)
        self._apps.set_limits(app, limits)

    def _take_in(self, app: InstalledApp) -> None:
        plan = self._plan_of(app.manifest, Path(app.folder))
        self._apps.add(plan, self._installed.limits_of(app.manifest.id))
        self._declare(app.manifest.id, app.manifest)
