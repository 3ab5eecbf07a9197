"""ManagedApp: carries out the orders of an app's state machine, on processes, windows, timers."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import anyio
import msgspec
import structlog
from msgspec import UNSET

from deskbus.processes.limit_monitor import LimitMonitor
from deskbus.processes.policy.app_state_machine import ASKED, AppStateMachine
from deskbus.processes.policy.exit_status import Ending, ExitStatus
from deskbus.processes.policy.liveness import Missed
from deskbus.processes.policy.restart_policy import RestartPolicy
from deskbus.processes.ports import AppPorts, Supervisor
from deskbus.processes.runtime.crash_report import crash_of
from deskbus.processes.runtime.pending_restart import PendingRestart
from deskbus.processes.runtime.process_run import ProcessRun
from deskbus.processes.runtime.process_starter import ProcessStarter
from deskbus.processes.spec import MAIN_CLIENT, AppSpec, PlacedWindow
from deskbus.processes.system.sampling import Measured, Subject
from deskbus.storage.awake_clock import awake_s
from deskbus_protocol.apps import AppState, AppStatus, Crash, StopParams
from deskbus_protocol.errors import CONFLICT, OVERLOADED, DeskbusError
from deskbus_protocol.events import AppCrashed, AuditEvent
from deskbus_protocol.ui import WindowDescriptor

MAX_WINDOWS = 64
"""Windows that one app has open."""

log = structlog.get_logger()


class ManagedApp:
    def __init__(
        self, spec: AppSpec, ports: AppPorts, starter: ProcessStarter, supervisor: Supervisor
    ) -> None:
        self.spec = spec
        self.run: ProcessRun | None = None
        self.limit_monitor = LimitMonitor(spec.app, spec.limits, ports.bus_limit)
        self._ports = ports
        self._starter = starter
        self._supervisor = supervisor
        self._machine = AppStateMachine(spec, self, RestartPolicy(spec.restart))
        self._more_windows: dict[str, WindowDescriptor] = {}
        self._first: WindowDescriptor | None = None
        """In place of its first window: the same under another name."""

        self._layout: dict[str, PlacedWindow] | None = None
        """The windows of its manifest that are open by a layout; None where all of them are."""

        self._opened_windows = 0
        self._to_come: list[str] = []
        """The windows of the opening in progress."""

        self._pending_restart = PendingRestart()
        self._starting: anyio.CancelScope | None = None
        # Held while the app is launched or ended, so that neither overtakes the other.
        self._changing = anyio.Lock()

    def status(self) -> AppStatus:
        machine, restart_in_s = self._machine, self._pending_restart.in_s
        return AppStatus(
            app=self.spec.app,
            name=self.spec.name,
            state=machine.state,
            windows=list(machine.windows),
            pid=UNSET if machine.pid is None else machine.pid,
            exit_code=UNSET if machine.exit_code is None else machine.exit_code,
            detail=machine.detail or UNSET,
            crash=machine.crash or UNSET,
            restart_in=UNSET if restart_in_s is None else int(restart_in_s * 1000),
            restarts=machine.restart_policy.restarts,
        )

    def desk_status(self) -> AppStatus:
        """Its status with the windows that are to come, since they are loading or the app is
        restarting.
        """
        coming = self._to_come
        if self.state == "restarting" and not coming:
            coming = [each.window for each in self._wanted_windows()]
        return msgspec.structs.replace(
            self.status(), windows=list(dict.fromkeys((*self.windows, *coming)))
        )

    @property
    def state(self) -> AppState:
        return self._machine.state

    @property
    def windows(self) -> list[str]:
        return self._machine.windows

    @property
    def history(self) -> AppStateMachine:
        """Its counts of restarts and kills."""
        return self._machine

    @property
    def is_alive(self) -> bool:
        return self._machine.is_alive

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is there, nor about to be."""
        return self.state == "stopped" and self.run is None and not self._changing.locked()

    # Requests of a person.

    async def launch(self, progress: Callable[[str], None]) -> AppStatus:
        """Raises `DeskbusError`: conflict (it is starting or ending), unavailable.

        One that ran already goes on, also where its windows can't be opened.
        """
        try:
            self._changing.acquire_nowait()
        except anyio.WouldBlock:
            words = f"{self.spec.app} is starting or ending already."
            raise DeskbusError(CONFLICT, words) from None
        try:
            self._layout = None
            await self._launch(progress)
            return self.status()
        finally:
            self._changing.release()

    async def open_instance(self, on_client: Callable[[str], None]) -> None:
        """Starts the app; where it runs, opens one more window like its first.

        `on_client` is told the client's name on the bus before its page is loaded. An app that has
        no window is the same one again. Raises `DeskbusError`: unavailable, overloaded.
        """
        async with self._changing:
            first = self.spec.windows[0] if self.spec.windows else None
            if first is None:
                on_client(MAIN_CLIENT)
            if not self.is_alive or first is None:
                if first is not None:
                    self._first = self._another(first) if self._opened_windows else first
                    self._opened_windows += 1
                    on_client(self._first.client)
                await self._launch(lambda _: None)
                return
            window = self._another(first)
            on_client(window.client)
            await self._open_another(window)

    async def restore(
        self, windows: Sequence[PlacedWindow], on_client: Callable[[PlacedWindow, str], None]
    ) -> None:
        """Starts the app with these windows; one that is open already is put in its place.

        A window of the manifest has its own name, any other a new one: `on_client` is told the
        client of each before its page is loaded. Raises `DeskbusError`.
        """
        async with self._changing:
            own = {window.client: window for window in self.spec.windows}
            there = {window.rpartition("/")[2] for window in self.windows}
            more: list[WindowDescriptor] = []
            for wanted in windows:
                if wanted.client in there:
                    await self._put(wanted)
                    on_client(wanted, wanted.client)
                elif own:
                    first = self.spec.windows[0]
                    window = own.get(wanted.client) or self._another(first)
                    more.append(wanted.put(window))
                    on_client(wanted, window.client)
            placed = {each.client: each for each in windows if each.client in own}
            if self.is_alive:
                if self._layout is not None:
                    self._layout |= placed
                for window in more:
                    await self._open_another(window)
                return
            self._opened_windows += 1
            self._layout = placed
            self._more_windows |= {each.window: each for each in more if each.client not in own}
            await self._launch(lambda _: None)

    async def _put(self, wanted: PlacedWindow) -> None:
        if wanted.bounds is not None:
            await self._ports.windows.place(f"{self.spec.app}/{wanted.client}", wanted.bounds)

    async def terminate(self, grace_s: float | None = None) -> None:
        """Returns when the app's process tree and windows are gone."""
        self._pending_restart.cancel()
        if self._starting is not None:
            self._starting.cancel()
        async with self._changing:
            await self._stop(grace_s)

    async def _launch(self, progress: Callable[[str], None]) -> None:
        """Launches the app, with the lock held. An app that ran already goes on if its other parts
        can't be started.
        """
        ran = self.is_alive or self.run is not None
        try:
            self._machine.launched()
            await self._start(progress)
        except BaseException:
            if ran:
                self._machine.windows_failed(time.monotonic())
            else:
                with anyio.CancelScope(shield=True):
                    await self._stop()
            raise

    async def _open_another(self, window: WindowDescriptor) -> None:
        with self._loading([window]):
            await self._ports.windows.open(window)
        if window.window not in {own.window for own in self._own_windows()}:
            self._more_windows[window.window] = window
        self._machine.instance_opened(window.window)

    def _another(self, first: WindowDescriptor) -> WindowDescriptor:
        """A window as its first, under a name that no client has had: nobody's is taken for it."""
        if len(self.windows) >= MAX_WINDOWS:
            raise DeskbusError(OVERLOADED, f"{self.spec.app} has too many windows open.")
        self._opened_windows += 1
        client = f"{first.client}-{self._opened_windows}"
        return msgspec.structs.replace(
            first, window=f"{self.spec.app}/{client}", client=client, x=UNSET, y=UNSET
        )

    # Reports of the app, of the shell, and of samples.

    def process_ready(self) -> None:
        self._machine.process_ready(time.monotonic())

    def session_opened(self) -> None:
        process = self.spec.process
        if process is not None and process.ready == "session":
            self.process_ready()

    def beat(self, trouble: str | None) -> None:
        """A sign of life; `trouble` is what the app can't do at the moment."""
        if self.run is not None:
            self.run.beat()
            self._machine.beat(trouble)

    async def close_window(self, window: str) -> None:
        """As if a person had closed it."""
        await self._ports.windows.close(window)
        if window in self.windows:
            self.window_closed(window)

    def window_closed(self, window: str) -> None:
        """A person closed a window; with its last one the app is asked to end."""
        self._more_windows.pop(window, None)
        if self._first is not None and self._first.window == window:
            self._first = None
        self._machine.window_closed(window, changing=self._changing.locked())

    def window_gone(self, window: str, reason: str, exit_code: int | None) -> None:
        """Handles the crash of a window's renderer: the window shows it, and is restored."""
        self._machine.renderer_gone(window, reason, exit_code, time.monotonic())

    def subject(self) -> Subject | None:
        """The processes to measure; None while none runs."""
        renderers = self._ports.renderers.of(self.spec.app)
        if self.run is not None:
            return self.limit_monitor.subject(self.run.root, self.run.known, renderers)
        return (
            self.limit_monitor.subject(None, set(), renderers)
            if self.is_alive and renderers
            else None
        )

    def measured(self, now_s: float, found: Measured) -> None:
        """Judges what its tree uses now."""
        run, last = self.run, self.limit_monitor.sample
        if run is not None:
            run.known = found.members | {run.root.identity}
        verdict = self.limit_monitor.take(now_s, found, None if run is None else run.capture)
        if self._machine.ending is not None:
            # The remains of an app that ends do not say why it ends.
            self.limit_monitor.sample = last
        self._machine.measured(verdict, warned=self.limit_monitor.warned, now_s=now_s)

    # Its start and its end; the lock is held.

    async def _start(self, progress: Callable[[str], None]) -> None:
        """Starts whatever of the app isn't there yet; raises `DeskbusError`."""
        with anyio.CancelScope() as self._starting, self._loading(self._wanted_windows()):
            await self._start_missing(progress)
        if self._starting.cancelled_caught:
            raise DeskbusError(CONFLICT, f"{self.spec.app} was ended while it started.")
        self._starting = None

    async def _start_missing(self, progress: Callable[[str], None]) -> None:
        process = self.spec.process
        self._machine.start_begins(time.monotonic())
        if process is not None and self.run is None:
            self.limit_monitor.begin()
            self.run = run = await self._starter.start_run(
                self.spec,
                process,
                self.limit_monitor.limits,
                on_missed=self._missed,
                end_orphans=self._supervisor.end_orphans,
            )
            log.info("app.started", app=self.spec.app, pid=run.pid)
            self._machine.process_started(run.pid, run.started_at)
            run.expect_ready()
            self._supervisor.start_soon(run.watch, self._ended)
            progress("process started")
        for window in self._wanted_windows():
            await self._ports.windows.open(window)
            self._machine.window_opened(window.window)
            progress("window open")
        self._machine.start_ends(time.monotonic())

    @contextmanager
    def _loading(self, windows: Sequence[WindowDescriptor]) -> Iterator[None]:
        self._to_come = [each.window for each in windows]
        try:
            yield
        finally:
            self._to_come = []

    def _wanted_windows(self) -> list[WindowDescriptor]:
        return [*self._own_windows(), *self._more_windows.values()]

    def _own_windows(self) -> list[WindowDescriptor]:
        """Those of its manifest, as far as a layout has them, and in their places there."""
        if self._layout is not None:
            wanted = [each for each in self.spec.windows if each.client in self._layout]
            return [self._layout[each.client].put(each) for each in wanted]
        first = () if self._first is None else (self._first,)
        return [*first, *self.spec.windows[len(first) :]]

    async def _stop(self, grace_s: float | None = None) -> None:
        run = self.run
        self._machine.stop_begins()
        if run is not None and run.ending is None:
            run.ending = ASKED
        await self._close_windows()
        if run is not None:
            grace_s = run.stop_within_s if grace_s is None else grace_s
            within = StopParams(within=int(grace_s * 1000))
            self._ports.tell_app(self.spec.app, method="apps.stop", params=within)
            await run.end(ASKED, grace_s=grace_s)
            await run.ended.wait()
            if self.run is run:
                # A fault kept its end from being told.
                self.run = None
        self._machine.stop_ends()

    async def _close_windows(self) -> None:
        self._more_windows.clear()
        self._first = self._layout = None
        for window in self._machine.take_windows():
            await self._ports.windows.close(window)

    # The end of its process, and its return.

    def _missed(self, run: ProcessRun, missed: Missed) -> None:
        if run is self.run:
            self._machine.missed(missed, run.liveness.silent_s(awake_s()), time.monotonic())

    async def _ended(self, run: ProcessRun, status: ExitStatus) -> None:
        log.info("app.exited", app=self.spec.app, pid=run.pid, exit_code=run.exit_code)
        self._starter.watchdog.forget(run.root)
        if run is not self.run:
            return
        self.run = None
        crash = None
        if status.cause is not None:
            crash = crash_of(status, run, None, run.exit_code, self.limit_monitor.sample)
        in_order = self._machine.process_ended(
            status,
            run.exit_code,
            crash=crash,
            open_files=run.open_files,
            now_s=time.monotonic(),
        )
        if not in_order:
            # A restart is planned, or `_stop` waits for this, and says the rest.
            return
        async with self._changing:
            if self._machine.pid is not None:
                # It was launched again meanwhile.
                return
            self._pending_restart.cancel()
            await self._close_windows()
            self._machine.ended_in_order(time.monotonic())

    async def _restart(self, planned: anyio.CancelScope, delay_s: float) -> None:
        await self._pending_restart.wait(planned, delay_s)
        if not self._pending_restart.is_wanted(planned):
            # In the queue for the lock it would stand in the way of the task that cancelled it.
            return
        async with self._changing:
            if not self._pending_restart.take(planned):
                return
            if not self._machine.restart_begins(time.monotonic()):
                return
            try:
                await self._start(lambda _: None)
            except DeskbusError as error:
                if self._starting is None or not self._starting.cancel_called:
                    log.warning("app.not_back", app=self.spec.app, reason=error.message)
                    self._machine.restart_failed(error.message, time.monotonic())
                return
            except Exception:  # a fault of ours; the app must not count as on its way for ever
                log.exception("app.not_back", app=self.spec.app)
                self._machine.restart_failed("a fault of the backend", time.monotonic())
                return
            self._machine.restart_ends()

    # Orders of the state machine.

    def changed(self) -> None:
        self._ports.on_changed(self.status())

    def record(self, event: AuditEvent) -> None:
        self._ports.trail.note(event)
        if isinstance(event, AppCrashed):
            log.warning("app.crashed", app=self.spec.app, detail=event.reason)

    def expect_beats(self) -> None:
        if self.run is not None:
            self.run.is_ready()

    def end_process(self, ending: Ending) -> None:
        if self.run is not None:
            self.run.ending = ending
            self._supervisor.start_soon(_end_at_once, self.run, ending)

    def ask_to_end(self) -> None:
        self._supervisor.start_soon(self.terminate)

    def restart_after(self, delay_s: float) -> None:
        planned = self._pending_restart.plan(delay_s)
        self._supervisor.start_soon(self._restart, planned, delay_s)

    def cancel_restart(self) -> None:
        self._pending_restart.cancel()

    def report(self, status: ExitStatus, exit_code: int | None, window: str | None) -> Crash:
        return crash_of(status, None, window, exit_code, self.limit_monitor.sample)


async def _end_at_once(run: ProcessRun, ending: Ending) -> None:
    await run.end(ending, grace_s=0)
