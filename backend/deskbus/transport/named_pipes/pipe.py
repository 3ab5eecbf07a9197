"""The pipe of this platform: a Unix socket, or a Windows named pipe."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio

from deskbus.config import SOCKET_NAME
from deskbus.storage.folder_lock import is_locked
from deskbus.transport.link import Link
from deskbus.transport.named_pipes.pipe_state import PipeState
from deskbus.transport.outbox import Flusher


def address(folder: Path) -> str:
    """Where the backend that listens in the runtime directory `folder` can be reached."""
    if sys.platform == "win32":
        return rf"\\.\pipe\deskbus-{folder.name}"
    else:
        return str(folder / SOCKET_NAME)


def check_runtime_folder(folder: Path) -> None:
    """Raises `FileNotFoundError`, or `UnsafeDirectoryError` where another user could be there."""
    if sys.platform != "win32":
        from deskbus.transport.named_pipes import unix_socket

        unix_socket.check_directory(folder)


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Keeps other backends off this runtime directory for the length of a `with` block.

    From its first moment clients can tell that a backend is starting (`is_held`). Raises
    `UnsafeDirectoryError`, `FolderBusyError`.
    """
    if sys.platform == "win32":
        # There the first instance of the named pipe is the lock.
        yield
    else:
        from deskbus.transport.named_pipes import unix_socket

        with unix_socket.reserved(folder):
            yield


def is_held(folder: Path) -> bool:
    """Whether a backend has this runtime directory, listening already or about to."""
    if sys.platform == "win32":
        return False
    else:
        from deskbus.transport.named_pipes import unix_socket

        return is_locked(folder, unix_socket.LOCK_NAME)


def is_bound(folder: Path) -> bool:
    """Whether there is a pipe, perhaps one that a backend left."""
    return sys.platform == "win32" or (folder / SOCKET_NAME).exists()


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
        from deskbus.transport.named_pipes import windows_pipe

        await anyio.Path(folder).mkdir(parents=True, exist_ok=True)
        async with windows_pipe.listen(address(folder), flusher, accept) as name:
            yield name
    else:
        from deskbus.transport.named_pipes import unix_socket

        async with unix_socket.listen(folder, flusher, accept, state) as path:
            yield path
