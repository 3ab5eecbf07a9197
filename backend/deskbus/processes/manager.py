"""ProcessIsolationManager: each app in processes and windows of its own."""

import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import anyio
import structlog
from anyio.abc import Process, TaskGroup
from msgspec import UNSET

from deskbus.processes.spawn import Badge, Program, spawn
from deskbus_protocol.apps import AppState, AppStatus, Crash
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import CONFLICT, NOT_FOUND, UNAVAILABLE, DeskbusError
from deskbus_protocol.ui import WindowDescriptor
from deskbus_protocol.windows import Cause

log = structlog.get_logger()


class AppPlan(NamedTuple):
    """What an app consists of."""

    app: str
    name: str
    windows: tuple[WindowDescriptor, ...]
    program: Program | None


class WindowOpener(Protocol):
    async def open(self, descriptor: WindowDescriptor) -> None: ...

    async def close(self, window: str) -> None: ...


class _Running:
    """What is known of one app while the backend runs."""

    def __init__(self, plan: AppPlan) -> None:
        self.plan = plan
        self.state: AppState = "stopped"
        self.process: Process | None = None
        self.exit_code: int | None = None
        self.windows: list[str] = []
        self.started_at = 0.0
        self.crash: Crash | None = None
        # Held while the app is launched or ended, so that neither overtakes the other.
        self.changing = anyio.Lock()

    def status(self) -> AppStatus:
        return AppStatus(
            app=self.plan.app,
            name=self.plan.name,
            state=self.state,
            windows=list(self.windows),
            pid=UNSET if self.process is None else self.process.pid,
            exit_code=UNSET if self.exit_code is None else self.exit_code,
            crash=self.crash or UNSET,
        )


class ProcessIsolationManager:
    def __init__(
        self,
        plans: list[AppPlan],
        *,
        windows: WindowOpener,
        mint: Callable[[Sender], str],
        on_changed: Callable[[AppStatus], None],
        log_dir: Path,
        reveal: Callable[[dict[str, str]], Awaitable[dict[str, str]]],
    ) -> None:
        self._apps = {plan.app: _Running(plan) for plan in plans}
        self._windows = windows
        self._mint = mint
        self._on_changed = on_changed
        self._log_dir = log_dir
        self._reveal = reveal
        self._tasks: TaskGroup | None = None
        self._spawned: set[int] = set()
        self.pipe = ""

    async def run(self) -> None:
        """Watches processes until cancelled, then ends every one with its tree."""
        try:
            async with anyio.create_task_group() as self._tasks:
                await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as ending:
                    for pid in self._spawned:
                        ending.start_soon(_end_tree, pid)

    def list(self) -> list[AppStatus]:
        return [running.status() for running in self._apps.values()]

    async def launch(self, app: str, progress: Callable[[str], None]) -> AppStatus:
        """Starts the app's process and opens its windows, whichever it has and isn't there yet.

        Raises `DeskbusError`: not_found, conflict (it is starting or ending), unavailable.
        """
        running = self._find(app)
        try:
            running.changing.acquire_nowait()
        except anyio.WouldBlock:
            raise DeskbusError(CONFLICT, f"{app} is starting or ending already.") from None
        try:
            return await self._launch(running, progress)
        finally:
            running.changing.release()

    async def _launch(self, running: _Running, progress: Callable[[str], None]) -> AppStatus:
        running.crash, running.started_at = None, time.monotonic()
        self._set(running, "starting")
        try:
            if running.plan.program is not None and running.process is None:
                await self._start_process(running, running.plan.program)
                progress("process started")
            for window in running.plan.windows:
                await self._windows.open(window)
                if window.window not in running.windows:
                    running.windows.append(window.window)
                progress("window open")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._stop(running)
            raise
        self._set(running, "ready")
        return running.status()

    async def terminate(self, app: str) -> None:
        """Returns when the app's process tree and window are gone; raises `DeskbusError`."""
        running = self._find(app)
        async with running.changing:
            await self._stop(running)

    async def restart(self, app: str, progress: Callable[[str], None]) -> AppStatus:
        """Ends the app where it runs, and starts it; raises `DeskbusError` as `launch` does."""
        await self.terminate(app)
        return await self.launch(app, progress)

    def window_gone(self, window: str, reason: str, exit_code: int | None) -> None:
        """What drew a window has ended by itself; the window stays, and shows what happened."""
        for running in self._apps.values():
            if window in running.windows:
                summary = f"What draws its window has ended ({reason})."
                self._crashed(running, "renderer", summary, exit_code)

    def window_closed(self, window: str) -> None:
        """A person closed a window; an app that was nothing else has ended with it."""
        for running in self._apps.values():
            if window in running.windows:
                running.windows.remove(window)
                ended = not running.windows and running.process is None
                self._set(running, "stopped" if ended else running.state)

    def _find(self, app: str) -> _Running:
        running = self._apps.get(app)
        if running is None:
            raise DeskbusError(NOT_FOUND, f"There is no app {app} in the configuration.")
        return running

    async def _start_process(self, running: _Running, program: Program) -> None:
        app = running.plan.app
        program = program._replace(env=await self._reveal(program.env))
        badge = Badge(app, self.pipe, self._mint(Sender(app, "main")))
        try:
            process = await spawn(program, badge, self._log_dir / f"{app}.log")
        except OSError as error:
            log.warning("app.not_started", app=app, reason=error.strerror)
            raise DeskbusError(
                UNAVAILABLE,
                f"The program of {app} could not be started.",
                action="Check the command in the configuration.",
            ) from None
        self._spawned.add(process.pid)
        running.process, running.exit_code = process, None
        log.info("app.started", app=app, pid=process.pid)
        if self._tasks is not None:
            self._tasks.start_soon(self._watch, running, process)

    async def _watch(self, running: _Running, process: Process) -> None:
        """Waits for the process; what it leaves behind ends with it."""
        code = await process.wait()
        _end_leftovers(process.pid)
        log.info("app.exited", app=running.plan.app, pid=process.pid, exit_code=code)
        self._spawned.discard(process.pid)
        if running.process is not process:
            return
        running.process, running.exit_code = None, code
        if running.state == "stopped":
            return
        if code == 0:
            self._set(running, "stopped")
        elif code > 0:
            self._crashed(running, "exit", f"It ended with exit code {code}.", code)
        else:
            self._crashed(running, "signal", f"It was ended by signal {-code}.", code)

    def _crashed(self, running: _Running, cause: Cause, summary: str, code: int | None) -> None:
        running.crash = Crash(
            cause=cause,
            detail=summary,
            at=int(time.time() * 1000),
            uptime_ms=int((time.monotonic() - running.started_at) * 1000),
            exit_code=UNSET if code is None else code,
            signal=signal.Signals(-code).name if code and code < 0 else UNSET,
        )
        self._set(running, "crashed")

    async def _stop(self, running: _Running) -> None:
        self._set(running, "stopped")
        for window in running.windows:
            await self._windows.close(window)
        running.windows = []
        if running.process is not None:
            await _end_tree(running.process.pid)
        self._set(running, "stopped")

    def _set(self, running: _Running, state: AppState) -> None:
        running.state = state
        self._on_changed(running.status())


# psutil comes with the first process that ends: a start of the backend does not wait for it.


async def _end_tree(pid: int) -> None:
    from deskbus.processes.tree import end_tree

    await end_tree(pid)


def _end_leftovers(pid: int) -> None:
    from deskbus.processes.tree import end_leftovers

    end_leftovers(pid)
