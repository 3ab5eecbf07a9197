"""BackgroundTasks: tasks that a part begins while it is at work."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import structlog
from anyio.abc import TaskGroup

log = structlog.get_logger()


class BackgroundTasks:
    """Tasks still under way when the part ends are cancelled.

    The failure of one is logged, and ends neither another nor the part.
    """

    def __init__(self) -> None:
        self._group: TaskGroup | None = None

    @property
    def running_now(self) -> bool:
        return self._group is not None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with anyio.create_task_group() as self._group:
                yield
                self._group.cancel_scope.cancel()
        finally:
            self._group = None

    async def run(self) -> None:
        """Runs tasks until cancelled."""
        async with self.running():
            await anyio.sleep_forever()

    def start(self, task: Callable[..., Awaitable[object]], *args: object) -> bool:
        """Whether it was begun: false where the part is not at work."""
        if self._group is None:
            return False
        self._group.start_soon(contained, task, *args)
        return True


async def contained(task: Callable[..., Awaitable[object]], *args: object) -> None:
    """Awaits `task`; its failure is logged, and told to nobody else."""
    try:
        await task(*args)
    except Exception:  # whatever it is, it is this task's alone
        log.exception("task.failed", task=getattr(task, "__qualname__", repr(task)))
