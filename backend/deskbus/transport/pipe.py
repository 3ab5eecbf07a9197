"""The pipe of this platform: a Unix socket, or a Windows named pipe."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio

from deskbus.config import SOCKET_NAME
from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus_protocol.health import ComponentHealth


class UnsafeDirectoryError(Exception):
    """The runtime directory is not this user's alone, or another backend has it."""


class InUseError(UnsafeDirectoryError):
    """Another backend has it; `pid` is its process, where that is known."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"a backend{f' (pid {pid})' if pid else ''} runs on this data folder")
        self.pid = pid


def address(folder: Path) -> str:
    """Where the backend that listens in the runtime directory `folder` can be reached."""
    if sys.platform == "win32":
        return rf"\\.\pipe\deskbus-{folder.name}"
    else:
        return str(folder / SOCKET_NAME)


def check_runtime_folder(folder: Path) -> None:
    """Raises `FileNotFoundError`, or `UnsafeDirectoryError` where another user could be there."""
    if sys.platform != "win32":
        from deskbus.transport import unix

        unix.check_directory(folder)


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Keeps other backends off this runtime directory for the length of a `with` block.

    From its first moment clients can tell that a backend is starting (`is_held`). Raises
    `UnsafeDirectoryError`, and as one of its kind `InUseError`.
    """
    if sys.platform == "win32":
        # There the first instance of the named pipe is the lock.
        yield
    else:
        from deskbus.transport import unix

        with unix.reserved(folder):
            yield


def is_held(folder: Path) -> bool:
    """Whether a backend has this runtime directory, listening already or about to."""
    if sys.platform == "win32":
        return False
    else:
        from deskbus.transport import unix

        return unix.is_locked(folder)


def is_bound(folder: Path) -> bool:
    """Whether there is a pipe, perhaps one that a backend left."""
    return sys.platform == "win32" or (folder / SOCKET_NAME).exists()


class PipeState:
    """How it is with the pipe, for whoever looks after it."""

    def __init__(self, refused: Callable[[str], None] = lambda _: None) -> None:
        self.refused = refused
        self.problem = ""
        self.renewals = 0

    def health(self) -> ComponentHealth:
        if self.problem:
            return ComponentHealth(status="degraded", detail=self.problem)
        return ComponentHealth(status="ok", detail=f"made anew {self.renewals} times")


@asynccontextmanager
async def listen(
    folder: Path,
    flusher: Flusher,
    accept: Callable[[Link], None],
    state: PipeState | None = None,
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

        async with unix.listen(folder, flusher, accept, state) as path:
            yield path
