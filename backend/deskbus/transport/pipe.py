"""The pipe of this platform: a Unix socket, or a Windows named pipe."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher

SOCKET_NAME = "bus.sock"


class UnsafeDirectoryError(Exception):
    """The runtime directory is not this user's alone, or another backend has it."""


def address(folder: Path) -> str:
    """Where the backend that listens in the runtime directory `folder` can be reached."""
    if sys.platform == "win32":
        return rf"\\.\pipe\deskbus-{folder.name}"
    else:
        return str(folder / SOCKET_NAME)


@asynccontextmanager
async def listen(
    folder: Path, flusher: Flusher, accept: Callable[[Link], None]
) -> AsyncIterator[str]:
    """Listens for the length of a `with` block, whose value is the address for clients.

    Raises `UnsafeDirectoryError`.
    """
    if sys.platform == "win32":
        from deskbus.transport import windows

        await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
        async with windows.listen(address(folder), flusher, accept) as name:
            yield name
    else:
        from deskbus.transport import unix

        async with unix.listen(folder, flusher, accept) as path:
            yield path
