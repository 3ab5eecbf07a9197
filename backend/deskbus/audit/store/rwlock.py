"""Readers of the log's files, and those who change them, keep out of each other's way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class ReadWriteLock:
    """Admits any number of readers. A change of files waits until nobody reads, and runs alone."""

    def __init__(self) -> None:
        self._changed = anyio.Condition()
        self._readers = 0
        self._gate = anyio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        async with self._gate:
            self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            with anyio.CancelScope(shield=True):
                async with self._changed:
                    self._changed.notify_all()

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        async with self._gate, self._changed:
            while self._readers:
                await self._changed.wait()
            yield
