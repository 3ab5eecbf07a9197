"""ProcessIsolationManager: each app in processes and windows of its own."""

import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import anyio.to_thread
import structlog

from deskbus.languages.health_words import phrase, told
from deskbus.processes.managed_app import ManagedApp
from deskbus.processes.policy.limit_policy import QUICK_SAMPLE_S
from deskbus.processes.ports import AppPorts
from deskbus.processes.runtime.process_starter import ProcessStarter
from deskbus.processes.spec import MAIN_CLIENT, AppSpec, PlacedWindow
from deskbus.processes.system.orphan_reaper import OrphanReaper
from deskbus.processes.system.process_queries import names_of, open_files, processes, row_of
from deskbus.processes.system.process_table import ProcessRow, UnreadableError
from deskbus.processes.system.process_tree import become_subreaper, members
from deskbus.processes.system.sampling import Measured, Subject, survey
from deskbus.reliability.background_tasks import BackgroundTasks, contained
from deskbus.reliability.loops import Loops
from deskbus.reliability.resource_shortage import ResourceShortage, is_shortage
from deskbus_protocol.apps import AppStatus
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import (
    CONFLICT,
    NOT_FOUND,
    PERMISSION_DENIED,
    UNAVAILABLE,
    DeskbusError,
)
from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.manifest import Limits

LAST_GRACE_S = 0.7
"""The grace for apps when the backend ends; all of it is over within 2 s."""

IDLE_SAMPLE_S = 5.0
"""Between two looks while no app runs: something may still have been left to us."""

UNREADABLE_PAUSE_S = 1.0
"""Delay before the next look after processes could not be read."""

ORPHANS_WITHIN_S = 2.0
"""How long an app's end waits for what it left behind; later looks find the rest."""

ORPHANS_AGAIN_S = 0.01

if TYPE_CHECKING:
    from deskbus.processes.system.file_holders import HeldFiles

log = structlog.get_logger()


class TreeProcess(NamedTuple):
    """One process of an app's tree. `draws` says that it draws the app's windows."""

    row: ProcessRow
    name: str
    draws: bool


class Figures(NamedTuple):
    """An app's present usage."""

    app: ManagedApp
    uptime_ms: int | None
    open_files: int | None


class ReadinessForUpdate(NamedTuple):
    """The apps that ran, and what is in the way of an update."""

    ended: list[str]
    held: "HeldFiles"


class ProcessIsolationManager:
    def __init__(
        self,
        specs: Iterable[AppSpec],
        ports: AppPorts,
        starter: ProcessStarter,
        loops: Loops | None = None,
    ) -> None:
        self._ports = ports
        self._starter = starter
        self._loops = loops or Loops(ResourceShortage())
        self._tasks = BackgroundTasks()
        self._apps: dict[str, ManagedApp] = {}
        self._orphans = OrphanReaper()
        self._woken = anyio.Event()
        self._unreadable = ""
        self._hunts = 0
        self._hunting = anyio.Lock()
        self._updating = False
        for spec in specs:
            self.add(spec)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watches and measures; at the end every app is ended with its tree."""
        become_subreaper()
        try:
            async with self._loops.running(self._measure_for_ever) as self._tasks:
                yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._end_all()
                await anyio.to_thread.run_sync(self._starter.watchdog.close)

    def add(self, spec: AppSpec, limits: Limits | None = None) -> None:
        """Takes an app in; raises `DeskbusError` (conflict) for one that runs."""
        known = self._apps.get(spec.app)
        if known is not None and not known.is_idle:
            raise DeskbusError(CONFLICT, f"{spec.app} is running.", action="Terminate it first.")
        self._apps[spec.app] = app = ManagedApp(spec, self._ports, self._starter, self)
        app.limit_monitor.limit(limits or spec.limits)

    async def remove(self, app: str) -> None:
        """Ends an app and forgets it; raises `DeskbusError` (not_found)."""
        await self.find(app).terminate()
        del self._apps[app]

    @property
    def apps(self) -> list[ManagedApp]:
        return list(self._apps.values())

    def statuses(self) -> list[AppStatus]:
        return [app.status() for app in self._apps.values()]

    def desk(self) -> list[AppStatus]:
        """The statuses with the windows that are to come, as a layout keeps them."""
        return [app.desk_status() for app in self._apps.values()]

    def find(self, app: str) -> ManagedApp:
        """Raises `DeskbusError` (not_found)."""
        found = self._apps.get(app)
        if found is None:
            raise DeskbusError(
                NOT_FOUND,
                f"There is no app {app}, neither installed nor in the configuration.",
                action="See apps.list.",
            )
        return found

    async def launch(self, app: str, progress: Callable[[str], None]) -> AppStatus:
        """Starts the app's process and opens its windows, whichever it has and isn't there yet.

        Raises `DeskbusError`: not_found, conflict (it is starting or ending), unavailable.
        """
        self._refuse_while_updating()
        status = await self.find(app).launch(progress)
        self._woken.set()
        return status

    async def open_instance(self, app: str, on_client: Callable[[str], None]) -> None:
        """Starts the app, or opens one more window of it; raises `DeskbusError`.

        `on_client` is told the instance's client on the bus before its page is loaded.
        """
        self._refuse_while_updating()
        await self.find(app).open_instance(on_client)
        self._woken.set()

    async def restore(
        self,
        app: str,
        windows: Sequence[PlacedWindow],
        on_client: Callable[[PlacedWindow, str], None],
    ) -> None:
        """Starts an app with the windows of a layout; raises `DeskbusError` as `launch` does.

        `on_client` is told the client on the bus of each before its page is loaded.
        """
        self._refuse_while_updating()
        await self.find(app).restore(windows, on_client)
        self._woken.set()

    async def close_window(self, window: str) -> bool:
        """Closes a window, with what follows for its app; False where there is no such window."""
        for app in self._apps.values():
            if window in app.windows:
                await app.close_window(window)
                return True
        return False

    def has(self, app: str) -> bool:
        return app in self._apps

    async def terminate(self, app: str) -> None:
        """Returns when the app's process tree and windows are gone; raises `DeskbusError`."""
        await self.find(app).terminate()

    async def restart(self, app: str, progress: Callable[[str], None]) -> AppStatus:
        """Ends the app where it runs, and starts it; raises `DeskbusError` as `launch` does."""
        await self.terminate(app)
        return await self.launch(app, progress)

    async def prepare_for_update(self, folder: Path | None) -> ReadinessForUpdate:
        """Ends every app, and looks for what holds files of `folder`, this process not counted.

        Where nothing does, no app is started any more: the caller ends the backend next.
        """
        self._updating = True
        ready = False
        try:
            running = [app for app in self._apps.values() if not app.is_idle]
            async with anyio.create_task_group() as ending:
                for app in running:
                    ending.start_soon(app.terminate)
            await self.end_orphans()
            ours = frozenset([os.getpid(), *self._starter.watchdog.pids])
            from deskbus.processes.system.file_holders import (  # with psutil
                HeldFiles,
                descendants_of,
                find_holders,
            )

            left = await anyio.to_thread.run_sync(descendants_of, os.getpid(), ours)
            held = HeldFiles(left, 0)
            if not left and folder is not None:
                held = await anyio.to_thread.run_sync(find_holders, folder, ours)
            ready = not held.holders
        finally:
            self._updating = ready
        return ReadinessForUpdate([app.spec.app for app in running], held)

    def _refuse_while_updating(self) -> None:
        """Raises `DeskbusError` (unavailable)."""
        if self._updating:
            raise DeskbusError(
                UNAVAILABLE,
                "An update is being installed.",
                action="Start apps again when it is done.",
            )

    async def stats(self, app: str | None) -> list[Figures]:
        """Measures now; raises `DeskbusError`: not_found, unavailable."""
        apps = list(self._apps.values()) if app is None else [self.find(app)]
        try:
            measured = await self._measure([each for each in apps if each.subject() is not None])
            pids = {name: [m.pid for m in each.members] for name, each in measured.items()}
            files = await anyio.to_thread.run_sync(
                lambda: {name: open_files(each) for name, each in pids.items()}
            )
        except UnreadableError as error:
            raise DeskbusError(UNAVAILABLE, str(error), action="Try again later.") from None
        return [
            Figures(
                each,
                None if each.run is None else int((time.monotonic() - each.run.started_at) * 1000),
                files.get(each.spec.app),
            )
            for each in apps
        ]

    async def tree(self, app: str) -> list[TreeProcess]:
        """The app's processes now, parents first; raises `DeskbusError`: not_found, unavailable."""
        subject = self.find(app).subject()
        if subject is None:
            return []
        try:
            return await anyio.to_thread.run_sync(_tree_of, subject)
        except UnreadableError as error:
            raise DeskbusError(UNAVAILABLE, str(error), action="Try again later.") from None

    def own_memory(self) -> int:
        """Bytes of the backend itself; 0 where that can't be read now."""
        try:
            row = row_of(os.getpid())
        except UnreadableError:
            return 0
        return 0 if row is None else row.memory

    def set_limits(self, app: str, limits: Limits) -> None:
        """Raises `DeskbusError` (not_found)."""
        found = self.find(app)
        found.limit_monitor.limit(limits)
        if found.run is not None:
            found.run.resource_group.limit(limits)
            found.run.capture.allow(limits.log_kb_per_s * 1024)
        self._woken.set()

    def of_caller(self, identity: ClientId) -> ManagedApp:
        """The app whose own process asks; raises `DeskbusError` (permission_denied)."""
        found = self._apps.get(identity.app)
        if found is None or identity.client != MAIN_CLIENT:
            raise DeskbusError(
                PERMISSION_DENIED, "This is for the process that the backend started for an app."
            )
        return found

    def session_opened(self, identity: ClientId) -> None:
        if identity.app in self._apps and identity.client == MAIN_CLIENT:
            self._apps[identity.app].session_opened()

    def window_closed(self, window: str) -> None:
        for app in self._apps.values():
            if window in app.windows:
                app.window_closed(window)

    def window_gone(self, window: str, reason: str, exit_code: int | None) -> None:
        for app in self._apps.values():
            if window in app.windows:
                app.window_gone(window, reason, exit_code)

    def health(self) -> ComponentHealth:
        bad = [
            phrase("app-state", app=app.spec.app, state=app.state)
            for app in self._apps.values()
            if app.state in ("degraded", "unresponsive", "crashed", "restarting", "failed")
        ]
        bad += [
            phrase("app-log", app=app.spec.app, words=app.run.capture.problem)
            for app in self._apps.values()
            if app.run is not None and app.run.capture.problem
        ]
        running = sum(app.is_alive for app in self._apps.values())
        kind = self._starter.resource_groups.kind
        words = phrase("apps", running=running, all=len(self._apps), kind=kind)
        if self._unreadable:
            bad.insert(0, phrase("app-limits", words=self._unreadable))
        return told("degraded" if bad else "ok", words, *bad)

    @property
    def enforced(self) -> str:
        return self._starter.resource_groups.kind

    async def _measure_for_ever(self) -> None:
        """Every app once a second, one that grows towards a limit ten times.

        As often, a watchdog is put in place of one that has gone.
        """
        while True:
            self._starter.watchdog.ensure()
            now_s = time.monotonic()
            running = [app for app in self._apps.values() if app.subject() is not None]
            due = [app for app in running if app.limit_monitor.due_at <= now_s]
            if due or not running:
                await self._sample(due)
            wake_at = min(
                (
                    app.limit_monitor.due_at
                    for app in self._apps.values()
                    if app.subject() is not None
                ),
                default=now_s + IDLE_SAMPLE_S,
            )
            pause_s = min(max(wake_at - time.monotonic(), QUICK_SAMPLE_S / 2), IDLE_SAMPLE_S)
            self._woken = anyio.Event()
            with anyio.move_on_after(pause_s):
                await self._woken.wait()

    async def _sample(self, due: list[ManagedApp]) -> None:
        """Leaves a sample out where processes can't be read; nobody ends for that."""
        try:
            await self._measure(due)
            self._unreadable = ""
        except (UnreadableError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and not is_shortage(error):
                raise
            if not self._unreadable:
                log.warning("apps.not_measured", reason=str(error))
            self._unreadable = str(error)
            for app in due:
                app.limit_monitor.due_at = time.monotonic() + UNREADABLE_PAUSE_S

    async def _measure(self, apps: list[ManagedApp]) -> dict[str, Measured]:
        subjects = [subject for app in apps if (subject := app.subject()) is not None]
        ours = self._claimed()
        runs = {app.spec.app: app.run for app in apps}
        found = await anyio.to_thread.run_sync(survey, subjects, ours)
        now_s = time.monotonic()
        for app in apps:
            measured = found.apps.get(app.spec.app)
            if measured is not None and app.run is runs[app.spec.app]:
                app.measured(now_s, measured)
        if not self._starter.spawning:
            await self._orphans.sweep(found.orphans)
        return found.apps

    def start_soon(self, task: Callable[..., Coroutine[Any, Any, object]], *args: object) -> None:
        self._tasks.start(task, *args)

    async def end_orphans(self) -> None:
        """Kills orphans of ended apps that hide whose they are; returns when none is left.

        The only sign of one: it is a child of the backend that the backend did not start, and
        belongs to no living app. Callers that come during one search share the next.
        """
        mine = self._hunts + 1
        async with self._hunting:
            if self._hunts >= mine:
                return
            self._hunts += 1
            with anyio.move_on_after(ORPHANS_WITHIN_S):
                # Nothing tells when a process of another parent's ends, or comes to us.
                while await self._found_orphans():  # noqa: ASYNC110
                    await anyio.sleep(ORPHANS_AGAIN_S)

    async def _found_orphans(self) -> bool:
        """Whether there is reason to look again."""
        spawns = self._starter.spawns
        if self._starter.spawning:
            return True
        subjects = [subject for app in self._apps.values() if (subject := app.subject())]
        try:
            found = await anyio.to_thread.run_sync(survey, subjects, self._claimed())
        except UnreadableError:
            return True
        if spawns != self._starter.spawns:
            # One of them may be an app's own process, which is not known as such yet.
            return True
        return self._orphans.end_now(found.orphans)

    def _claimed(self) -> frozenset[int]:
        """Pids of children that we have started."""
        roots = [app.run.root.identity.pid for app in self._apps.values() if app.run]
        return frozenset([*roots, *self._starter.watchdog.pids])

    async def _end_all(self) -> None:
        async with anyio.create_task_group() as ending:
            for app in self._apps.values():
                if app.run is not None:
                    ending.start_soon(contained, app.run.end_last, LAST_GRACE_S)
        await self._orphans.end(frozenset(self._starter.watchdog.pids))


def _tree_of(subject: Subject) -> list[TreeProcess]:
    """Blocks."""
    table = processes()
    found = set() if subject.root is None else members(table, subject.root, subject.known)
    draws = {pid for pid in subject.renderers if pid in table and not table[pid].zombie}
    pids = {member.pid for member in found if member.pid in table} | draws
    names = names_of(pids)
    rows = [TreeProcess(table[pid], names[pid], pid in draws) for pid in pids]
    return sorted(rows, key=lambda each: (each.draws, each.row.identity.started))
