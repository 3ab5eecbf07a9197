"""LateImports: modules that a run needs and its start does not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from deskbus.reliability.loops import Loops

AFTER_S = 2.0
"""Delay after the first answer; the rush of a start is over by then."""


class LateImports:
    """Calls `load` on a thread, once, some time after `answered` was set."""

    def __init__(self, answered: anyio.Event, load: Callable[[], None], loops: Loops) -> None:
        self._answered = answered
        self._load = load
        self._loops = loops

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._loops.running(self._load_later):
            yield

    async def _load_later(self) -> None:
        await self._answered.wait()
        await anyio.sleep(AFTER_S)
        await anyio.to_thread.run_sync(self._load)
