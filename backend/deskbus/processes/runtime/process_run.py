"""One run of an app's process: started, watched, measured, ended."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import structlog
from anyio.abc import ByteReceiveStream

from deskbus.processes.policy.exit_status import Ending, ExitStatus, judge_end
from deskbus.processes.policy.liveness import Liveness, Missed
from deskbus.processes.ports import AppProcess, EndOrphans
from deskbus.processes.runtime.app_logs import DROP_PAUSE_S, LogCapture
from deskbus.processes.runtime.parent_death_pipe import ParentDeathPipe
from deskbus.processes.spec import ProcessSpec
from deskbus.processes.system.process_table import ProcessIdentity
from deskbus.processes.system.process_tree import Root, end_tree, kill_tree
from deskbus.processes.system.resource_group import ResourceGroup
from deskbus.reliability.background_tasks import contained
from deskbus.reliability.resource_shortage import is_shortage
from deskbus.storage.awake_clock import awake_s
from deskbus.storage.deadline_timer import DeadlineTimer

READ_BYTES = 65_536
LAST_LINES_S = 0.3
"""How long the last lines of a process are waited for; a child of it may hold the pipe open."""

log = structlog.get_logger()


class ProcessRun:
    """`on_missed` is told what the process owes, `on_ended` how it ended, once."""

    def __init__(
        self,
        spec: ProcessSpec,
        *,
        process: AppProcess,
        root: Root,
        resource_group: ResourceGroup,
        parent_death_pipe: ParentDeathPipe | None,
        capture: LogCapture,
        output: ByteReceiveStream | None,
        on_missed: Callable[["ProcessRun", Missed], None],
        open_files: int | None,
        end_orphans: EndOrphans,
    ) -> None:
        """`open_files` is the app's limit. `end_orphans` ends orphans that hide whose they are."""
        self.root = root
        self.resource_group = resource_group
        self.capture = capture
        self.known: set[ProcessIdentity] = {root.identity}
        self.ending: Ending | None = None
        self.ready = False
        self.started_at = time.monotonic()
        self.ended = anyio.Event()
        self.liveness = Liveness(spec.heartbeat, spec.ready_within_s)
        self.exit_code: int | None = None
        self._spec = spec
        self._parent_death_pipe = parent_death_pipe
        self._process = process
        self._output = output
        self._on_missed = on_missed
        self.open_files = open_files
        self._end_orphans = end_orphans
        self._deadline_timer = DeadlineTimer(self._look)
        self._memory_kills = kernel_memory_kills()

    @property
    def pid(self) -> int:
        return self._process.pid

    def expect_ready(self) -> None:
        self.liveness.started(awake_s())
        self._deadline_timer.set(self.liveness.due_at)

    def is_ready(self) -> None:
        self.ready = True
        self.liveness.ready(awake_s())
        self._deadline_timer.set(self.liveness.due_at)

    def beat(self) -> None:
        """The alarm is not moved: it follows when it rings, so a beat costs next to nothing."""
        before = self.liveness.due_at
        self.liveness.beat(awake_s())
        if before is None or (self.liveness.due_at or before) < before:
            self._deadline_timer.set(self.liveness.due_at)

    async def watch(self, on_ended: Callable[["ProcessRun", ExitStatus], Awaitable[None]]) -> None:
        """Returns once the process and its descendants are gone, and `on_ended` was called."""
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(contained, self._capture)
                self.exit_code = code = await self._process.wait()
                self._deadline_timer.stop()
                self.liveness.stop()
                out_of_memory = self.resource_group.out_of_memory() or self._killed_for_memory(code)
                await contained(self._kill_what_is_left)
                await contained(self._end_orphans)
                tasks.cancel_scope.deadline = anyio.current_time() + LAST_LINES_S
            self._release()
            verdict = judge_end(
                code,
                ending=self.ending,
                out_of_memory=out_of_memory,
                log=self.capture.tail,
                ready=self.ready,
                open_files=self.open_files,
            )
            await on_ended(self, verdict)
        finally:
            # Also after a fault, or a stop would wait for ever.
            self.ended.set()

    async def end(self, ending: Ending, *, grace_s: float) -> None:
        """Returns when the whole tree is gone."""
        if self.ending is None:
            self.ending = ending
        if self.exit_code is None:
            left = await end_tree(
                self.root, self.known, grace_s=grace_s, kill=self.resource_group.kill
            )
            if left:
                log.error("app.processes_left", pid=self.pid, left=left)

    async def end_last(self, grace_s: float) -> None:
        """The same for the backend's own end, when nobody watches any more."""
        await self.end(Ending(None, "The backend ended."), grace_s=grace_s)
        with anyio.move_on_after(LAST_LINES_S):
            await self._process.wait()
        self._release()

    @property
    def stop_within_s(self) -> float:
        return self._spec.stop_within_s

    def _release(self) -> None:
        self._deadline_timer.end()
        self.resource_group.close()
        if self._parent_death_pipe is not None:
            self._parent_death_pipe.close()

    async def _kill_what_is_left(self) -> None:
        while True:
            try:
                await anyio.to_thread.run_sync(
                    kill_tree, self.root, self.known, self.resource_group.kill
                )
            except (OSError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                # Orphans of it can't be seen just now; they must not be taken for gone.
                log.warning("app.tree_not_seen", pid=self.pid, reason=str(error))
                await anyio.sleep(LAST_LINES_S)
            else:
                return

    def _look(self) -> None:
        missed = self.liveness.look(awake_s())
        self._deadline_timer.set(self.liveness.due_at)
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
    """Processes killed by Linux's out-of-memory killer since the machine started."""
    try:
        lines = Path("/proc/vmstat").read_text().split("\n")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
