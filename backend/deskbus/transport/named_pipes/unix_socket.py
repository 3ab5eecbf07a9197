"""The pipe on Linux and macOS: a Unix socket that only this user can reach."""

import asyncio
import contextlib
import os
import socket
import stat
import struct
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog

from deskbus.config import SOCKET_NAME
from deskbus.reliability.resource_shortage import SpareDescriptors, is_shortage
from deskbus.storage.folder_lock import PROBE_ATTEMPTS, FolderLock, is_locked_by_us
from deskbus.transport.link import NO_PROCESS, Link
from deskbus.transport.named_pipes.pipe_state import PipeState, UnsafeDirectoryError
from deskbus.transport.outbox import Flusher
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.wire import rpc

assert sys.platform != "win32"

import resource  # noqa: E402 - as above

BACKLOG = 1024
SEND_BUFFER_BYTES = 1024 * 1024
"""Asked of the kernel, which may give less: one write then carries more to a busy reader."""

ACCEPTS_A_TURN = 64
LOOK_EVERY_S = 1.0
"""How soon it is noticed that somebody removed the socket, as cleaners of /tmp do."""

KEPT_DESCRIPTORS = 32
"""Descriptors that links leave to everything else; an eighth where the limit is low."""

MAX_LINGERING = 8
LINGER_S = 1.0
"""How long a refused connection stays open, so that its peer reads why."""

AGAIN_AFTER_S = 0.2

NO_ROOM = DeskbusError(
    UNAVAILABLE,
    "The backend has no file descriptors left for another link.",
    action="Close other clients, or raise the limit of open files (ulimit -n).",
)

LOCK_NAME = "lock"
_XUCRED_VERSION_AND_UID = struct.Struct("=II")
_LOCAL_PEERCRED = 0x001
_LOCAL_PEERPID = 0x002
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
    """A user who can rename within the parent can replace our folder by one of their own."""
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


def peer_process(connection: socket.socket) -> int:
    """The process at the other end when it connected; `NO_PROCESS` where that is not told."""
    try:
        if hasattr(socket, "SO_PEERCRED"):
            credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return int(struct.unpack("3i", credentials)[0])
        return connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
    except OSError:
        return NO_PROCESS


class Listener:
    """A socket in `folder`, with mode 0600 from its first moment, and who comes to it.

    A connection of another user is closed before a byte of it is read. One that comes when few
    descriptors are left is refused in words, and so is one that comes when there are none.
    """

    def __init__(
        self, folder: Path, flusher: Flusher, accept: Callable[[Link], None], state: PipeState
    ) -> None:
        self._folder = folder
        self.path = folder / SOCKET_NAME
        self._flusher = flusher
        self._accept = accept
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._lock: FolderLock | None = None
        self._inode: tuple[int, int] | None = None
        self._spare = SpareDescriptors(1)
        self._refused: deque[socket.socket] = deque()
        self._connecting: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Raises `UnsafeDirectoryError` and `OSError`."""
        prepare_directory(self._folder)
        listener = _bind(self.path)
        self._release()
        self._socket = listener
        found = self.path.stat()
        self._inode = (found.st_dev, found.st_ino)
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._loop.add_reader(listener.fileno(), self._accept_some)

    def _open_again(self) -> None:
        """A folder that was made anew has no lock yet that keeps others out."""
        prepare_directory(self._folder)
        if not is_locked_by_us(self._folder, LOCK_NAME):
            lock = FolderLock(self._folder, LOCK_NAME)
            lock.acquire(attempts=PROBE_ATTEMPTS)
            if self._lock is not None:
                self._lock.release()
            self._lock = lock
        self.open()

    def close(self) -> None:
        if self._is_there():
            _remove(self.path)
        self._release()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        self._spare.close()
        while self._refused:
            self._refused.popleft().close()

    async def keep(self) -> None:
        """Listens anew where the socket was removed; runs until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._is_there():
                self._state.problem = ""
                continue
            try:
                self._open_again()
            except (OSError, UnsafeDirectoryError) as error:
                if not self._state.problem:
                    log.warning("pipe.unreachable", reason=str(error))
                self._state.problem = f"the socket is gone, and can't be made anew: {error}"
            else:
                log.warning("pipe.renewed", pipe=str(self.path))
                self._state.problem = ""
                self._state.renewals += 1

    def _release(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _is_there(self) -> bool:
        try:
            found = self.path.stat()
        except OSError as error:
            return is_shortage(error)
        return (found.st_dev, found.st_ino) == self._inode

    def _accept_some(self) -> None:
        """Takes those who wait, a few a turn."""
        for _ in range(ACCEPTS_A_TURN):
            if self._socket is None:
                return
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                if not is_shortage(error):
                    log.warning("pipe.not_accepted", reason=error.strerror)
                    return
                if not self._refuse_by_spare():
                    return
            else:
                self._admit(connection)

    def _admit(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        uid = peer_uid(connection)
        if uid != os.getuid():
            log.warning("pipe.foreign_user_refused", uid=uid)
            connection.close()
        elif connection.fileno() >= last_descriptor_for_links():
            # The kernel gives the lowest free number, so all below are in use.
            self._refuse(connection)
        else:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            task = self._loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError as error:
            log.warning("pipe.not_accepted", reason=error.strerror)
            connection.close()

    def _make(self) -> Link:
        return _SocketLink(self._flusher, self._accept)

    def _refuse_by_spare(self) -> bool:
        """Refuses one for whom there is no descriptor; False where nobody waits, or none helps."""
        if self._socket is None:
            return False
        with self._spare.lent():
            try:
                connection, _ = self._socket.accept()
            except OSError as error:
                if is_shortage(error):
                    # Not even that: whoever waits is looked at again in a moment.
                    descriptor = self._socket.fileno()
                    self._loop.remove_reader(descriptor)
                    self._loop.call_later(AGAIN_AFTER_S, self._listen_again)
                return False
            self._refuse(connection, at_once=True)
        return True

    def _listen_again(self) -> None:
        if self._socket is not None:
            self._loop.add_reader(self._socket.fileno(), self._accept_some)

    def _refuse(self, connection: socket.socket, *, at_once: bool = False) -> None:
        """Says why, and closes once that could be read; of those at most a few linger."""
        self._state.refused("links")
        try:
            connection.setblocking(False)
            connection.send(rpc.failure(rpc.NULL_ID, NO_ROOM) + b"\n")
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            at_once = True
        if at_once:
            connection.close()
            return
        self._refused.append(connection)
        if len(self._refused) > MAX_LINGERING:
            self._refused.popleft().close()
        self._loop.call_later(LINGER_S, connection.close)


def last_descriptor_for_links() -> int:
    """Descriptors from here on are for files, programs and reads of the process table."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return soft - min(KEPT_DESCRIPTORS, soft // 8)


@asynccontextmanager
async def listen(
    folder: Path,
    flusher: Flusher,
    accept: Callable[[Link], None],
    state: PipeState | None = None,
) -> AsyncIterator[str]:
    """Listens in `folder` for the length of a `with` block, whose value is the socket's path.

    `folder` is to be `reserved`. Raises `UnsafeDirectoryError`.
    """
    listener = Listener(folder, flusher, accept, state or PipeState())
    try:
        listener.open()
    except BaseException:
        listener.close()
        raise
    keeping = asyncio.get_running_loop().create_task(listener.keep())
    try:
        yield str(listener.path)
    finally:
        keeping.cancel()
        listener.close()


@contextmanager
def reserved(folder: Path) -> Iterator[None]:
    """Keeps other backends out of `folder`; raises `UnsafeDirectoryError`, `FolderBusyError`."""
    prepare_directory(folder)
    with FolderLock(folder, LOCK_NAME).held(attempts=PROBE_ATTEMPTS):
        yield


def _bind(path: Path) -> socket.socket:
    _remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    path.chmod(0o600)
    return listener


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


class _SocketLink(Link):
    def __init__(self, flusher: Flusher, accept: Callable[[Link], None]) -> None:
        super().__init__(flusher)
        self._accept = accept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.process = peer_process(transport.get_extra_info("socket"))
        super().connection_made(transport)
        self._accept(self)
