"""One app: its state, its process and windows, and what happens when they end."""

import time
from collections import Counter
from collections.abc import Callable

import anyio
import msgspec
import structlog
from msgspec import UNSET

from deskbus.processes.limit_monitor import LimitMonitor, limited
from deskbus.processes.policy.exit_status import (
    Ending,
    ExitStatus,
    excess_words,
    out_of_files,
    renderer_words,
)
from deskbus.processes.policy.liveness import Missed
from deskbus.processes.policy.restart_policy import RestartPolicy
from deskbus.processes.runtime.crash_report import crash_of
from deskbus.processes.runtime.pending_restart import PendingRestart
from deskbus.processes.runtime.process_run import ProcessRun
from deskbus.processes.runtime.process_starter import ProcessStarter
from deskbus.processes.spec import MAIN_CLIENT, AppSpec
from deskbus.processes.system.sampling import Measured, Subject
from deskbus.storage.awake_clock import awake_s
from deskbus_protocol.apps import AppState, AppStatus, Crash, LimitName, StopParams
from deskbus_protocol.errors import CONFLICT, OVERLOADED, DeskbusError
from deskbus_protocol.events import (
    AppCrashed,
    AppLaunched,
    AppReady,
    AppRestarted,
    AppTerminated,
    AppUnresponsive,
)
from deskbus_protocol.ui import WindowDescriptor

MAX_WINDOWS = 64
"""Windows that one app has open."""

ASKED = Ending(None, "It was asked to end.")
ALIVE: frozenset[AppState] = frozenset({"starting", "ready", "degraded", "unresponsive"})

log = structlog.get_logger()


class ManagedApp:
    def __init__(self, spec: AppSpec, starter: ProcessStarter) -> None:
        self.spec = spec
        self.state: AppState = "stopped"
        self.run: ProcessRun | None = None
        self.windows: list[str] = []
        self.more_windows: dict[str, WindowDescriptor] = {}
        self._opened_windows = 0
        self.limit_monitor = LimitMonitor(spec.app, spec.limits, starter.bus_limit)
        self.restart_policy = RestartPolicy(spec.restart)
        self.restarts_in_all = 0
        self.limit_kills: Counter[LimitName] = Counter()
        """How often a limit ended it, since the start of the backend."""
        self._starter = starter
        self._detail: str | None = None
        self._own_trouble: str | None = None
        self._crash: Crash | None = None
        self._exit_code: int | None = None
        self._pending_restart = PendingRestart()
        self._starting: anyio.CancelScope | None = None
        # Held while the app is launched or ended, so that neither overtakes the other.
        self._changing = anyio.Lock()

    def status(self) -> AppStatus:
        restart_in_s = self._pending_restart.in_s
        return AppStatus(
            app=self.spec.app,
            name=self.spec.name,
            state=self.state,
            windows=list(self.windows),
            pid=UNSET if self.run is None else self.run.pid,
            exit_code=UNSET if self._exit_code is None else self._exit_code,
            detail=self._detail or UNSET,
            crash=self._crash or UNSET,
            restart_in=UNSET if restart_in_s is None else int(restart_in_s * 1000),
            restarts=self.restart_policy.restarts,
        )

    @property
    def is_alive(self) -> bool:
        return self.state in ALIVE

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
                    on_client(first.client)
                await self._launch(lambda _: None)
                return
            window = self._another(first)
            on_client(window.client)
            await self._starter.windows.open(window)
            self.more_windows[window.window] = window
            self.windows.append(window.window)
            self._set(self.state)

    async def _launch(self, progress: Callable[[str], None]) -> None:
        """The lock is held. One that ran goes on where the rest of it can't be started."""
        ran = self.is_alive or self.run is not None
        try:
            self._pending_restart.cancel()
            if self.run is None:
                self.restart_policy.launched()
            await self._start(progress)
        except BaseException:
            if ran:
                self._go_on_without_window()
            else:
                with anyio.CancelScope(shield=True):
                    await self._stop()
            raise

    def _another(self, first: WindowDescriptor) -> WindowDescriptor:
        """Its first window, where that is closed; else one more, beside it."""
        if first.window not in self.windows:
            return first
        if len(self.windows) >= MAX_WINDOWS:
            raise DeskbusError(OVERLOADED, f"{self.spec.app} has too many windows open.")
        self._opened_windows += 1
        client = f"{first.client}-{self._opened_windows}"
        return msgspec.structs.replace(
            first, window=f"{self.spec.app}/{client}", client=client, x=UNSET, y=UNSET
        )

    async def terminate(self, grace_s: float | None = None) -> None:
        """Returns when the app's process tree and windows are gone."""
        self._pending_restart.cancel()
        if self._starting is not None:
            self._starting.cancel()
        async with self._changing:
            await self._stop(grace_s)

    # Reports of the app itself.

    def told_ready(self) -> None:
        if self.run is None or self.run.ready:
            return
        if self.is_alive:
            self._ready(self.run)
        else:
            self.run.is_ready()

    def session_opened(self) -> None:
        process = self.spec.process
        if process is not None and process.ready == "session":
            self.told_ready()

    def beat(self, trouble: str | None) -> None:
        """A sign of life; `trouble` is what the app can't do at the moment."""
        if self.run is None:
            return
        self.run.beat()
        # One that is ended, or waits to come back, can't talk itself out of that.
        if self.is_alive and (self.state == "unresponsive" or trouble != self._own_trouble):
            self._own_trouble = trouble
            if self.run.ready:
                self._settle()

    # Reports of the shell.

    def window_closed(self, window: str) -> None:
        """A person closed a window; with its last one the app is asked to end."""
        self.windows.remove(window)
        self.more_windows.pop(window, None)
        if self.windows:
            self._set(self.state)
        elif self.run is None and not self._changing.locked():
            self._pending_restart.cancel()
            self._set("stopped")
        elif self._starter.tasks is not None:
            self._starter.tasks.start_soon(self.terminate)

    def window_gone(self, window: str, reason: str, exit_code: int | None) -> None:
        """A window's renderer has ended by itself; the window shows that, and comes back."""
        if self.is_alive:
            cause = "out_of_memory" if reason == "oom" and self.run is None else "renderer"
            verdict = ExitStatus(cause, renderer_words(reason))  # type: ignore[arg-type]
            self._crashed(verdict, exit_code, window=window)

    # Samples of its usage.

    def subject(self) -> Subject | None:
        """The processes to measure; None while none runs."""
        renderers = self._starter.renderers.of(self.spec.app)
        if self.run is not None:
            return self.limit_monitor.subject(self.run.root, self.run.known, renderers)
        return (
            self.limit_monitor.subject(None, set(), renderers)
            if self.is_alive and renderers
            else None
        )

    def measured(self, now_s: float, found: Measured) -> None:
        """Judges what its tree uses now."""
        run = self.run
        if run is not None:
            run.known = found.members | {run.root.identity}
        was_warned, last = self.limit_monitor.warned, self.limit_monitor.sample
        verdict = self.limit_monitor.take(now_s, found, None if run is None else run.capture)
        if run is not None and run.ending is not None:
            # The remains of an app that ends do not say why it ends.
            self.limit_monitor.sample = last
            return
        if not self.is_alive:
            return
        excess = verdict.excess
        if verdict.action != "fine" and excess is not None:
            self._starter.trail.note(limited(self.spec.app, excess))
            if verdict.action == "end":
                self.limit_kills[excess.limit] += 1
                self._end_for(Ending("limit", excess_words(excess), excess))
                return
            self._detail = excess_words(excess)
        if was_warned != self.limit_monitor.warned and (run is None or run.ready):
            self._settle()

    # Transitions.

    async def _start(self, progress: Callable[[str], None]) -> None:
        """Starts whatever of the app isn't there yet; raises `DeskbusError`."""
        with anyio.CancelScope() as self._starting:
            await self._start_missing(progress)
        if self._starting.cancelled_caught:
            raise DeskbusError(CONFLICT, f"{self.spec.app} was ended while it started.")
        self._starting = None

    async def _start_missing(self, progress: Callable[[str], None]) -> None:
        process = self.spec.process
        if not self.is_alive:
            self._detail = self._own_trouble = None
            self._set("starting")
            self.restart_policy.started(time.monotonic())
        if process is not None and self.run is None:
            self.limit_monitor.begin()
            limits = self.limit_monitor.limits
            run = await self._starter.start_run(self.spec, process, limits, self._missed)
            self.run, self._exit_code = run, None
            log.info("app.started", app=self.spec.app, pid=run.pid)
            self._starter.trail.note(AppLaunched(app=self.spec.app, pid=run.pid))
            run.expect_ready()
            if self._starter.tasks is not None:
                self._starter.tasks.start_soon(run.watch, self._ended)
            progress("process started")
        for window in (*self.spec.windows, *self.more_windows.values()):
            await self._starter.windows.open(window)
            if window.window not in self.windows:
                self.windows.append(window.window)
            progress("window open")
        if self.state != "starting":
            return
        if self.run is None:
            if process is None:
                self._crash = None
                self._set("ready")
        elif process is not None and (process.ready == "started" or self.run.ready):
            self._ready(self.run)
        else:
            self._set("starting")

    def _go_on_without_window(self) -> None:
        """The app's process runs, but the shell did not show what belongs to it."""
        process = self.spec.process
        if self.run is None or process is None or self.state != "starting":
            return
        if process.ready == "started" or self.run.ready:
            self._ready(self.run)

    def _ready(self, run: ProcessRun) -> None:
        run.is_ready()
        took_ms = int((time.monotonic() - run.started_at) * 1000)
        self._starter.trail.note(AppReady(app=self.spec.app, pid=run.pid, took_ms=took_ms))
        self._crash = None
        self._settle()

    def _settle(self) -> None:
        """The state of an app that runs, from what it says and what its samples say."""
        if self.limit_monitor.warned:
            self._set("degraded")
        else:
            self._detail = self._own_trouble
            self._set("degraded" if self._own_trouble else "ready")

    def _missed(self, run: ProcessRun, missed: Missed) -> None:
        if run is not self.run or run.ending is not None:
            return
        silent_s = run.liveness.silent_s(awake_s())
        if missed == "never_ready":
            process = self.spec.process
            within_s = 0.0 if process is None else process.ready_within_s
            self._end_for(Ending("never_ready", f"It was not ready within {within_s:g} s."))
            return
        words = f"It has given no sign of life for {silent_s:.0f} s."
        if missed == "hung":
            self._end_for(Ending("hung", words))
            return
        self._starter.trail.note(
            AppUnresponsive(app=self.spec.app, pid=run.pid, silent_ms=int(silent_s * 1000))
        )
        if self.is_alive:
            self._detail = words
            self._set("unresponsive")

    def _end_for(self, ending: Ending) -> None:
        """Ends the app for what it did; how it goes on is seen when it has ended."""
        if self.run is None:
            self._crashed(ExitStatus(ending.cause, ending.detail), None)
        elif self._starter.tasks is not None and self.run.ending is None:
            self.run.ending = ending
            self._starter.tasks.start_soon(_end_at_once, self.run, ending)

    async def _ended(self, run: ProcessRun, verdict: ExitStatus) -> None:
        log.info("app.exited", app=self.spec.app, pid=run.pid, exit_code=run.exit_code)
        self._starter.watchdog.forget(run.root)
        if run is not self.run:
            return
        self._exit_code = run.exit_code
        self.run = None
        if verdict.cause == "limit" and run.ending is None and run.open_files is not None:
            excess = out_of_files(run.open_files)
            self.limit_kills[excess.limit] += 1
            self._starter.trail.note(limited(self.spec.app, excess))
        if verdict.cause is not None:
            self._crashed(verdict, run.exit_code, run)
            return
        self._starter.trail.note(
            AppTerminated(
                app=self.spec.app,
                pid=run.pid,
                exit_code=UNSET if run.exit_code is None else run.exit_code,
                reason=verdict.detail,
            )
        )
        if run.ending is not None:
            # `_stop` waits for this, and says the rest.
            return
        async with self._changing:
            if self.status().pid is not UNSET:
                # It was launched again meanwhile.
                return
            self._pending_restart.cancel()
            await self._close_windows()
            decision = self.restart_policy.ended(time.monotonic(), crashed=False)
            if decision.action == "restart":
                self._restart_after(decision.delay_s)
            else:
                self._set("stopped")

    def _crashed(
        self,
        verdict: ExitStatus,
        exit_code: int | None,
        run: ProcessRun | None = None,
        window: str | None = None,
    ) -> None:
        self._crash = crash_of(verdict, run, window, exit_code, self.limit_monitor.sample)
        self._starter.trail.note(
            AppCrashed(
                app=self.spec.app,
                reason=verdict.detail,
                pid=UNSET if run is None else run.pid,
                exit_code=UNSET if exit_code is None else exit_code,
            )
        )
        log.warning("app.crashed", app=self.spec.app, cause=verdict.cause, detail=verdict.detail)
        self._detail = verdict.detail
        decision = self.restart_policy.ended(time.monotonic(), crashed=True)
        if decision.action == "restart":
            self._restart_after(decision.delay_s)
        else:
            self._set("failed" if decision.action == "give_up" else "crashed")
            if self.run is not None:
                self._end_for(ASKED)

    def _restart_after(self, delay_s: float) -> None:
        if self._starter.tasks is None:
            return
        planned = self._pending_restart.plan(delay_s)
        self._set("restarting")
        self._starter.tasks.start_soon(self._restart, planned, delay_s)

    async def _restart(self, planned: anyio.CancelScope, delay_s: float) -> None:
        await self._pending_restart.wait(planned, delay_s)
        if not self._pending_restart.is_wanted(planned):
            # In the queue for the lock it would stand in the way of who cancelled it.
            return
        async with self._changing:
            if not self._pending_restart.take(planned) or self.state != "restarting":
                return
            self.restarts_in_all += 1
            self.restart_policy.restarted(time.monotonic())
            attempt = self.restart_policy.restarts
            try:
                await self._start(lambda _: None)
            except DeskbusError as error:
                if self._starting is not None and self._starting.cancel_called:
                    return
                if self.run is None:
                    self._crashed(ExitStatus("exit", error.message), None)
                else:
                    log.warning("app.window_not_back", app=self.spec.app, reason=error.message)
                    self._go_on_without_window()
                return
            pid = UNSET if self.run is None else self.run.pid
            self._starter.trail.note(AppRestarted(app=self.spec.app, attempt=attempt, pid=pid))

    async def _stop(self, grace_s: float | None = None) -> None:
        run, self._crash, self._detail = self.run, None, None
        if run is not None and run.ending is None:
            # However it ends from here on, that is no crash.
            run.ending = ASKED
        self._set("stopping" if run is not None or self.windows else "stopped")
        await self._close_windows()
        if run is not None:
            grace_s = run.stop_within_s if grace_s is None else grace_s
            within = StopParams(within=int(grace_s * 1000))
            self._starter.tell_app(self.spec.app, method="apps.stop", params=within)
            await run.end(ASKED, grace_s=grace_s)
            await run.ended.wait()
        self._pending_restart.cancel()
        self._set("stopped")

    async def _close_windows(self) -> None:
        windows, self.windows = self.windows, []
        self.more_windows.clear()
        for window in windows:
            await self._starter.windows.close(window)

    def _set(self, state: AppState) -> None:
        self.state = state
        self._starter.on_changed(self.status())


async def _end_at_once(run: ProcessRun, ending: Ending) -> None:
    await run.end(ending, grace_s=0)
