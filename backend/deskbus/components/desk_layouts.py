"""DeskLayouts: saves the desk (apps, windows, channels, contexts) and brings it back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import structlog
from msgspec import UNSET, UnsetType

from deskbus.components.access.access_control import AccessControl
from deskbus.components.apps.app_processes import AppProcesses
from deskbus.components.backend_run import BackendRun
from deskbus.components.fdc3.fdc3 import Fdc3Layout
from deskbus.components.user_interface import UserInterface
from deskbus.processes.spec import MAIN_CLIENT, PlacedWindow
from deskbus.storage.awake_clock import awake_s
from deskbus.storage.clocks import wall_ms
from deskbus.ui.layout_files import FOLDER, LayoutFiles, summary_of
from deskbus_protocol.apps import AppState, AppStatus
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.layouts import (
    LAST,
    MAX_LAYOUT_APPS,
    MAX_LAYOUT_CONTEXTS,
    Layout,
    LayoutApp,
    LayoutList,
    LayoutWindow,
    NotRestored,
    RestoreLayoutResult,
    SaveLayoutResult,
)
from deskbus_protocol.topics import matches

SETTLE_S = 2.0
"""Delay from a change of the desk until it is saved, together with those that follow at once."""

QUIT_WITHIN_S = 10.0
"""How long windows that are closed count as closed by the end of the shell."""

WRITE_WITHIN_S = 1.0
"""How long a desk that is kept at the end of the shell may hold that end up."""

AT_ONCE = 8
"""Apps that are being started by a layout at one time."""

MAX_CHANNELS = 10_000
"""Clients whose channels are known at one time; beyond, those that are gone are forgotten."""

MAX_JOINING = 1_000
"""The most of these, the newest, that are kept although their apps are not running yet."""

GONE: frozenset[AppState] = frozenset({"stopping", "stopped", "crashed", "failed"})
"""States of an app that is no part of the desk."""

FAILED = "It failed to start; the backend's log says why."

log = structlog.get_logger()


class DeskLayouts:
    """With `[session] keep` the layout without a name follows the desk, for after a restart."""

    def __init__(
        self,
        run: BackendRun,
        user_interface: UserInterface,
        access: AccessControl,
        apps: AppProcesses,
        fdc3: Fdc3Layout,
    ) -> None:
        settings = run.settings
        self._keep = settings.config.session.keep
        self._sensitive = settings.config.persistence.sensitive
        self._files = LayoutFiles(settings.data_dir / FOLDER)
        self._places = user_interface.window_places
        self._access = access
        self._apps = apps
        self._fdc3 = fdc3
        self._loops = run.loops
        self._found: Layout | None = None
        """The layout without a name as the last run left it, or as it was saved in this one."""

        self._channels: dict[ClientId, str] = {}
        """By client, also where its page is gone while its window is not, as at the shell's end."""

        self._writing = anyio.Lock()
        """A layout has one writer at a time, and the later one has the later desk."""

        self._changed = anyio.Event()
        self._quiet_until_s = 0.0
        fdc3.on_moved(self._on_moved)
        if self._keep:
            user_interface.window_moved.add(self._on_change)
            apps.changed.add(self._on_change)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            self._found = await anyio.to_thread.run_sync(self._files.read, LAST)
        except DeskbusError as error:
            if error.kind is not NOT_FOUND:
                log.warning("layout.unreadable", name=LAST, reason=error.message)
        async with self._loops.running(*([self._follow] if self._keep else [])):
            yield

    async def save(self, name: str = LAST) -> SaveLayoutResult:
        """Raises `DeskbusError`: degraded, newer_format, too_large, overloaded."""
        async with self._writing:
            layout = self._now()
            path = await anyio.to_thread.run_sync(self._files.write, name, layout)
            if name == LAST:
                self._found = layout
        return SaveLayoutResult(layout=summary_of(name, layout), path=str(path))

    async def restore(self, name: str = LAST) -> RestoreLayoutResult:
        """Each app by itself: one that does not start holds no other up.

        Without a name it is the desk of the last run, if there was any. Raises `DeskbusError`:
        not_found, invalid_params, newer_format, degraded.
        """
        if name == LAST:
            layout = self._found or Layout()
        else:
            layout = await anyio.to_thread.run_sync(self._files.read, name)
        self._fdc3.bring_back(layout.contexts)
        failed: list[NotRestored] = []
        turns = anyio.CapacityLimiter(AT_ONCE)

        async def bring(app: LayoutApp) -> None:
            async with turns:
                try:
                    await self._bring(app)
                except DeskbusError as error:
                    log.warning("layout.app_not_restored", app=app.app, reason=error.message)
                    failed.append(NotRestored(app=app.app, reason=error.message))
                except Exception:  # one app's fault must not hold the others up
                    log.exception("layout.app_failed", app=app.app)
                    failed.append(NotRestored(app=app.app, reason=FAILED))

        async with anyio.create_task_group() as tasks:
            for app in layout.apps:
                tasks.start_soon(bring, app)
        back = {app.app for app in layout.apps} - {each.app for each in failed}
        return RestoreLayoutResult(
            apps=len(back),
            windows=sum(len(app.windows) for app in layout.apps if app.app in back),
            failed=failed,
        )

    async def list(self) -> LayoutList:
        return LayoutList(
            layouts=await anyio.to_thread.run_sync(lambda: [*self._files.summaries()])
        )

    async def remove(self, name: str) -> None:
        """Raises `DeskbusError`: not_found, degraded."""
        async with self._writing:
            await anyio.to_thread.run_sync(self._files.remove, name)
            if name == LAST:
                self._found = None

    async def quitting(self) -> None:
        """Keeps the desk as it is now, since the shell is about to close all windows."""
        if self._keep:
            desk, self._quiet_until_s = self._now(), awake_s() + QUIT_WITHIN_S
            # The shell's link may close right behind, and whatever it has asked for is cancelled.
            with anyio.move_on_after(WRITE_WITHIN_S, shield=True):
                await self._write_last(desk)

    def _on_change(self, _: AppStatus | str) -> None:
        self._changed.set()

    def _on_moved(self, identity: ClientId, channel: str | None) -> None:
        self._channels.pop(identity, None)
        if channel is not None and self._apps.manager.has(identity.app):
            self._channels[identity] = channel
            if len(self._channels) > MAX_CHANNELS:
                self._forget_gone()
        self._changed.set()

    def _forget_gone(self) -> None:
        there = _clients_of(self._running()).union(list(self._channels)[-MAX_JOINING:])
        self._channels = {who: at for who, at in self._channels.items() if who in there}
        while len(self._channels) > MAX_CHANNELS:
            del self._channels[next(iter(self._channels))]

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            await anyio.sleep(SETTLE_S)
            await anyio.sleep(max(0.0, self._quiet_until_s - awake_s()))
            self._changed = anyio.Event()
            await self._keep_now()

    async def _keep_now(self) -> None:
        """Writes the desk as it is now; a restore still brings back the one of the last run."""
        await self._write_last()

    async def _write_last(self, closing: Layout | None = None) -> None:
        """`closing` is the desk as it was before its windows were closed."""
        try:
            async with self._writing:
                # A writer that waited here while a person quit would keep a desk without windows.
                if closing or awake_s() >= self._quiet_until_s:
                    layout = closing or self._now()
                    await anyio.to_thread.run_sync(self._files.write, LAST, layout)
        except DeskbusError as error:
            log.warning("layout.not_kept", reason=error.message)

    def _now(self) -> Layout:
        running = self._running()
        there = _clients_of(running)
        self._channels = {who: at for who, at in self._channels.items() if who in there}
        return Layout(
            saved_at=wall_ms(),
            apps=[self._app(status) for status in running][:MAX_LAYOUT_APPS],
            contexts=self._fdc3.last_contexts(self._is_sensitive, MAX_LAYOUT_CONTEXTS),
        )

    def _running(self) -> Sequence[AppStatus]:
        return [each for each in self._apps.manager.desk() if each.state not in GONE]

    def _app(self, status: AppStatus) -> LayoutApp:
        return LayoutApp(
            app=status.app,
            windows=[self._window(status.app, window) for window in status.windows],
            channel=self._channels.get(ClientId(status.app, MAIN_CLIENT), UNSET),
        )

    def _window(self, app: str, window: str) -> LayoutWindow:
        client = _client_of(window)
        return LayoutWindow(
            client=client,
            bounds=self._places.of(window) or UNSET,
            channel=self._channels.get(ClientId(app, client), UNSET),
        )

    def _is_sensitive(self, topic: str) -> bool:
        return any(matches(pattern, topic) for pattern in self._sensitive)

    async def _bring(self, app: LayoutApp) -> None:
        """Raises `DeskbusError`."""
        await self._access.check_launch(app.app)
        windows = {each.client: each for each in app.windows}
        clients: list[ClientId] = []

        def on_client(placed: PlacedWindow, client: str) -> None:
            clients.append(ClientId(app.app, client))
            self._join(clients[-1], windows[placed.client].channel)

        try:
            self._join(ClientId(app.app, MAIN_CLIENT), app.channel)
            await self._apps.manager.restore(app.app, _placed(app.windows), on_client)
        except BaseException:
            for identity in (*clients, ClientId(app.app, MAIN_CLIENT)):
                self._fdc3.give_up(identity)
            raise

    def _join(self, identity: ClientId, channel: str | UnsetType) -> None:
        if isinstance(channel, str):
            self._fdc3.join(identity, channel)


def _client_of(window: str) -> str:
    return window.rpartition("/")[2]


def _clients(status: AppStatus) -> list[ClientId]:
    """Its process, and its windows."""
    names = [MAIN_CLIENT, *map(_client_of, status.windows)]
    return [ClientId(status.app, name) for name in names]


def _clients_of(statuses: Sequence[AppStatus]) -> set[ClientId]:
    return {client for status in statuses for client in _clients(status)}


def _placed(windows: Sequence[LayoutWindow]) -> list[PlacedWindow]:
    return [
        PlacedWindow(each.client, None if isinstance(each.bounds, UnsetType) else each.bounds)
        for each in windows
    ]
