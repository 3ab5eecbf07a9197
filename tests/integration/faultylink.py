"""A relay between a client and the backend's pipe that can be cut, in the middle of a frame too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import ByteStream, TaskGroup

CHUNK_BYTES = 700
"""Small and odd, so that a cut falls into a frame."""


class FaultyLink:
    def __init__(self, path: str, target: str, tasks: TaskGroup) -> None:
        self.path = path
        self.target = target
        self._tasks = tasks
        self._scopes: set[anyio.CancelScope] = set()
        self.connections = 0

    def cut(self) -> None:
        """Ends every connection at once, with whatever is on its way."""
        for scope in list(self._scopes):
            scope.cancel()

    async def serve(self, near: ByteStream) -> None:
        self.connections += 1
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                async with near, await anyio.connect_unix(self.target) as far:
                    async with anyio.create_task_group() as both:
                        both.start_soon(self._pump, near, far, scope)
                        both.start_soon(self._pump, far, near, scope)
            except (OSError, anyio.BrokenResourceError):
                pass
            finally:
                self._scopes.discard(scope)

    async def _pump(self, source: ByteStream, sink: ByteStream, scope: anyio.CancelScope) -> None:
        try:
            while True:
                await sink.send(await source.receive(CHUNK_BYTES))
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            scope.cancel()


@asynccontextmanager
async def faulty_link(folder: Path, target: str) -> AsyncIterator[FaultyLink]:
    path = str(folder / "faulty.sock")
    async with await anyio.create_unix_listener(path) as listener, anyio.create_task_group() as t:
        link = FaultyLink(path, target, t)
        t.start_soon(listener.serve, link.serve)
        yield link
        t.cancel_scope.cancel()
