"""The pipe on Linux and macOS: a Unix socket that only this user can reach."""

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog

from deskbus.config import SOCKET_NAME
from deskbus.storage import disk
from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.pipe import InUseError, UnsafeDirectoryError

assert sys.platform != "win32"

BACKLOG = 1024
SEND_BUFFER_BYTES = 1024 * 1024
"""Asked of the kernel, which may give less: one write then carries more to a busy reader."""

LOCK_NAME = "lock"
LOCK_TRIES = 20
LOCK_AGAIN_S = 0.01
_XUCRED_VERSION_AND_UID = struct.Struct("=II")
_LOCAL_PEERCRED = 0x001
_SOL_LOCAL = 0

log = structlog.get_logger()


def prepare_directory(folder: Path) -> None:
    """Makes `folder` with mode 0700, or checks that it is so already.

    Raises `UnsafeDirectoryError` for a link, another owner, or a mode that lets others in.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    check_directory(folder)


def check_directory(folder: Path) -> None:
    """Raises `FileNotFoundError`, and `UnsafeDirectoryError` as `prepare_directory` does."""
    _check_parent(folder.parent)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnsafeDirectoryError(f"{folder} is not a directory of this user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeDirectoryError(f"{folder} lets other users in; its mode must be 0700")


def _check_parent(parent: Path) -> None:
    """Who can rename within the parent can put a folder of their own in the place of ours."""
    found = parent.lstat()
    theirs = found.st_uid not in (os.getuid(), 0)
    open_to_all = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
    if theirs or open_to_all or not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectoryError(
            f"{parent} is not safe: another user could replace what is in it"
        )


def peer_uid(connection: socket.socket) -> int:
    """The user at the other end, as the kernel knows it."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        _pid, uid, _gid = struct.unpack("3i", credentials)
        return int(uid)
    credentials = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 76)
    return int(_XUCRED_VERSION_AND_UID.unpack_from(credentials)[1])


@asynccontextmanager
async def listen(
    folder: Path, flusher: Flusher, accept: Callable[[Link], None]
) -> AsyncIterator[str]:
    """Listens in `folder` for the length of a `with` block, whose value is the socket's path.

    The socket has mode 0600 from its first moment. A connection of another user is closed
    before a byte of it is read. `folder` is to be `reserved`.
    """
    prepare_directory(folder)
    async with _listening(folder / SOCKET_NAME, flusher, accept) as address:
        yield address


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Keeps other backends out of `folder`; raises `UnsafeDirectoryError`, `InUseError`."""
    prepare_directory(folder)
    descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    """A tool that looks whether the lock is held has it for a moment, and is no other backend."""
    for tries_left in reversed(range(LOCK_TRIES)):
        try:
            disk.lock(descriptor)
        except BlockingIOError:
            if not tries_left:
                pid = os.pread(descriptor, 20, 0)
                raise InUseError(int(pid) if pid.isdigit() else None) from None
            time.sleep(LOCK_AGAIN_S)
        else:
            return


def is_locked(folder: Path) -> bool:
    """Whether a backend listens in `folder`, or is about to; makes nothing."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@asynccontextmanager
async def _listening(
    path: Path, flusher: Flusher, accept: Callable[[Link], None]
) -> AsyncIterator[str]:
    def make() -> Link:
        return _CheckedLink(flusher, accept)

    server = await asyncio.get_running_loop().create_unix_server(
        make, sock=_bind(path), backlog=BACKLOG
    )
    try:
        yield str(path)
    finally:
        server.close()
        _remove(path)


def _bind(path: Path) -> socket.socket:
    _remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    path.chmod(0o600)
    return listener


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


class _CheckedLink(Link):
    """A link that is only accepted from this process's own user."""

    def __init__(self, flusher: Flusher, accept: Callable[[Link], None]) -> None:
        super().__init__(flusher)
        self._accept = accept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = transport.get_extra_info("socket")
        uid = peer_uid(connection)
        if uid != os.getuid():
            log.warning("pipe.foreign_user_refused", uid=uid)
            transport.close()
            return
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        super().connection_made(transport)
        self._accept(self)
