"""The pipe on Linux and macOS: a Unix socket that only this user can reach."""

import asyncio
import contextlib
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher

BACKLOG = 1024
SEND_BUFFER_BYTES = 1024 * 1024
"""Asked of the kernel, which may give less: one write then carries more to a busy reader."""

SOCKET_NAME = "bus.sock"
_XUCRED_VERSION_AND_UID = struct.Struct("=II")
_LOCAL_PEERCRED = 0x001
_SOL_LOCAL = 0

log = structlog.get_logger()


class UnsafeDirectoryError(Exception):
    """The runtime directory is not this user's alone."""


def prepare_directory(folder: Path) -> None:
    """Makes `folder` with mode 0700, or checks that it is so already.

    Raises `UnsafeDirectoryError` for a link, another owner, or a mode that lets others in.
    """
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnsafeDirectoryError(f"{folder} is not a directory of this user")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeDirectoryError(f"{folder} lets other users in; its mode must be 0700")


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
    before a byte of it is read.
    """
    prepare_directory(folder)
    path = folder / SOCKET_NAME
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    path.chmod(0o600)

    def make() -> Link:
        return _CheckedLink(flusher, accept)

    server = await asyncio.get_running_loop().create_unix_server(
        make, sock=listener, backlog=BACKLOG
    )
    try:
        yield str(path)
    finally:
        server.close()
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
