"""Loops that a component runs for the length of its life."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import structlog

from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus.reliability.resource_shortage import ResourceShortage, is_shortage

AGAIN_AFTER_S = 1.0

Loop = Callable[[], Awaitable[None]]

log = structlog.get_logger()


class Loops:
    """A loop that fails is begun anew, and ends none of the others; `shortage` counts it."""

    def __init__(self, shortage: ResourceShortage) -> None:
        self._shortage = shortage

    @asynccontextmanager
    async def running(self, *loops: Loop) -> AsyncIterator[BackgroundTasks]:
        """Runs `loops` beside a `with` block; its value takes further tasks."""
        tasks = BackgroundTasks()
        async with tasks.running():
            for loop in loops:
                tasks.start(self._keep, loop)
            yield tasks

    async def _keep(self, loop: Loop) -> None:
        while True:
            try:
                await loop()
            except Exception as error:  # whatever ended it, it is begun anew
                log.exception("component.failed")
                words = "file descriptors or threads" if is_shortage(error) else "failures"
                self._shortage.note(f"rounds of a component, for {words}")
                await anyio.sleep(AGAIN_AFTER_S)
            else:
                return
