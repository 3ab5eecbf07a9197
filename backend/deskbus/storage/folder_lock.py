"""FolderLock: keeps other processes out of a folder. Everything here blocks."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_FILE = "lock"
"""Locked in place of its folder on Windows, where folders can't be opened."""

PROBE_ATTEMPTS = 20
PROBE_PAUSE_S = 0.01
"""A program that only looks whether a lock is held has it for a moment."""

MAX_PID_BYTES = 20

_FLAGS = (os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)) | (
    getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
)


class FolderBusyError(OSError):
    """Another process has locked the folder; `pid` is that process, where it says so."""

    def __init__(self, number: int | None, folder: Path, pid: int | None = None) -> None:
        who = f"another process (pid {pid})" if pid else "another process"
        super().__init__(number, f"{who} has this folder", str(folder))
        self.pid = pid


class FolderLock:
    """Held from `acquire` to `release`, or to the end of the process, however that ends.

    Locked is the file `name` in the folder, which then says whose it is, or else the folder itself.
    """

    def __init__(self, folder: Path, name: str | None = None) -> None:
        self._folder = folder
        self._name = name
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    def acquire(self, *, attempts: int = 1) -> None:
        """Does nothing where it is held already; raises `FolderBusyError`, `OSError`."""
        if self._descriptor is not None:
            return
        descriptor = self._open()
        try:
            self._lock(descriptor, attempts)
            if self._name is not None and sys.platform != "win32":
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def sync(self) -> None:
        """Files made, renamed and removed so far stay so; needs no descriptor of its own."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)

    @contextmanager
    def held(self, *, attempts: int = 1) -> Iterator[None]:
        """Held for the length of a `with` block; raises `FolderBusyError`, `OSError`."""
        self.acquire(attempts=attempts)
        try:
            yield
        finally:
            self.release()

    def _open(self) -> int:
        if self._name is None and sys.platform != "win32":
            return os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        return os.open(self._folder / (self._name or LOCK_FILE), _FLAGS, 0o600)

    def _lock(self, descriptor: int, attempts: int) -> None:
        for left in reversed(range(attempts)):
            try:
                _lock(descriptor)
            except BlockingIOError as error:
                if not left:
                    pid = self._holder(descriptor) if self._name is not None else None
                    raise FolderBusyError(error.errno, self._folder, pid) from None
                time.sleep(PROBE_PAUSE_S)
            else:
                return

    def _holder(self, descriptor: int) -> int | None:
        if sys.platform == "win32":
            # A locked part of a file can't be read there either.
            return None
        else:
            text = os.pread(descriptor, MAX_PID_BYTES, 0).strip()
            return int(text) if text.isdigit() else None


def is_locked(folder: Path, name: str) -> bool:
    """Whether a process holds the lock of the file `name`; makes nothing. False on Windows."""
    if sys.platform == "win32":
        return False
    else:
        try:
            descriptor = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def is_locked_by_us(folder: Path, name: str) -> bool:
    """Whether this process holds the lock of the file `name`, and the file is still the same."""
    try:
        holder = (folder / name).read_bytes().strip()
    except OSError:
        return False
    return holder == b"%d" % os.getpid() and is_locked(folder, name)


def _lock(descriptor: int) -> None:
    """Raises `BlockingIOError` where another process has it, else `OSError`."""
    if sys.platform == "win32":
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, "another process has locked it") from error
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
