"""One run of an app's process: started, watched, measured, ended."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import structlog
from anyio.abc import ByteReceiveStream

from deskbus.processes.alarm import Alarm
from deskbus.processes.cage import Cage
from deskbus.processes.lifeline import Lifeline
from deskbus.processes.logs import DROP_PAUSE_S, LogCapture
from deskbus.processes.plan import AppProcess, EndStrays, ProgramPlan
from deskbus.processes.pulse import Missed, Pulse
from deskbus.processes.table import Identity
from deskbus.processes.tree import Root, end_tree, kill_tree
from deskbus.processes.verdict import Ending, Verdict, judge_end
from deskbus.reliability.resource_shortage import is_shortage
from deskbus.storage.awake_clock import awake_s

READ_BYTES = 65_536
LAST_LINES_S = 0.3
"""How long the last lines of a process are waited for; a child of it may hold the pipe open."""

log = structlog.get_logger()


class Run:
    """`on_missed` is told what the process owes, `on_ended` how it ended, once."""

    def __init__(
        self,
        plan: ProgramPlan,
        *,
        process: AppProcess,
        root: Root,
        cage: Cage,
        life: Lifeline | None,
        capture: LogCapture,
        output: ByteReceiveStream | None,
        on_missed: Callable[["Run", Missed], None],
        open_files: int | None,
        end_strays: EndStrays,
    ) -> None:
        """`open_files` is the app's limit. `end_strays` ends what it left and hides whose it is."""
        self.root = root
        self.cage = cage
        self.capture = capture
        self.known: set[Identity] = {root.identity}
        self.ending: Ending | None = None
        self.ready = False
        self.started_at = time.monotonic()
        self.ended = anyio.Event()
        self.pulse = Pulse(plan.heartbeat, plan.ready_within_s)
        self.exit_code: int | None = None
        self._plan = plan
        self._life = life
        self._process = process
        self._output = output
        self._on_missed = on_missed
        self.open_files = open_files
        self._end_strays = end_strays
        self._alarm = Alarm(self._look)
        self._memory_kills = kernel_memory_kills()

    @property
    def pid(self) -> int:
        return self._process.pid

    def expect_ready(self) -> None:
        self.pulse.started(awake_s())
        self._alarm.set(self.pulse.due_at)

    def is_ready(self) -> None:
        self.ready = True
        self.pulse.ready(awake_s())
        self._alarm.set(self.pulse.due_at)

    def beat(self) -> None:
        """The alarm is not moved: it follows when it rings, so a beat costs next to nothing."""
        before = self.pulse.due_at
        self.pulse.beat(awake_s())
        if before is None or (self.pulse.due_at or before) < before:
            self._alarm.set(self.pulse.due_at)

    async def watch(self, on_ended: Callable[["Run", Verdict], Awaitable[None]]) -> None:
        """Returns when the process and all that it left behind are gone, and that was told."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._capture)
            self.exit_code = code = await self._process.wait()
            self._alarm.stop()
            self.pulse.stop()
            out_of_memory = self.cage.out_of_memory() or self._killed_for_memory(code)
            await self._kill_what_is_left()
            await self._end_strays()
            tasks.cancel_scope.deadline = anyio.current_time() + LAST_LINES_S
        self._put_away()
        verdict = judge_end(
            code,
            ending=self.ending,
            out_of_memory=out_of_memory,
            log=self.capture.tail,
            ready=self.ready,
            open_files=self.open_files,
        )
        await on_ended(self, verdict)
        self.ended.set()

    async def end(self, ending: Ending, *, grace_s: float) -> None:
        """Returns when the whole tree is gone."""
        if self.ending is None:
            self.ending = ending
        if self.exit_code is None:
            left = await end_tree(self.root, self.known, grace_s=grace_s, kill=self.cage.kill)
            if left:
                log.error("app.processes_left", pid=self.pid, left=left)

    async def end_last(self, grace_s: float) -> None:
        """The same where nobody watches any more, because the backend ends."""
        await self.end(Ending(None, "The backend ended."), grace_s=grace_s)
        with anyio.move_on_after(LAST_LINES_S):
            await self._process.wait()
        self._put_away()

    @property
    def stop_within_s(self) -> float:
        return self._plan.stop_within_s

    def _put_away(self) -> None:
        self._alarm.end()
        self.cage.close()
        if self._life is not None:
            self._life.close()

    async def _kill_what_is_left(self) -> None:
        while True:
            try:
                await anyio.to_thread.run_sync(kill_tree, self.root, self.known, self.cage.kill)
            except (OSError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                # What it left behind can't be seen just now; it must not be taken for gone.
                log.warning("app.tree_not_seen", pid=self.pid, reason=str(error))
                await anyio.sleep(LAST_LINES_S)
            else:
                return

    def _look(self) -> None:
        missed = self.pulse.look(awake_s())
        self._alarm.set(self.pulse.due_at)
        if missed is not None:
            self._on_missed(self, missed)

    async def _capture(self) -> None:
        if self._output is None:
            return
        try:
            while True:
                if not await self.capture.add(await self._output.receive(READ_BYTES)):
                    await anyio.sleep(DROP_PAUSE_S)
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
            return
        finally:
            with anyio.CancelScope(shield=True):
                await self._output.aclose()

    def _killed_for_memory(self, code: int) -> bool:
        return code == -9 and self.ending is None and kernel_memory_kills() > self._memory_kills


def kernel_memory_kills() -> int:
    """How many processes Linux has killed for want of memory since it started."""
    try:
        lines = Path("/proc/vmstat").read_text().split("\n")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
