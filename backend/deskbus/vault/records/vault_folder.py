"""The vault's folder: whole, durable files that only this user can read, and no links followed."""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from deskbus.storage import durable_files
from deskbus.storage.folder_lock import LOCK_FILE, FolderLock

MAX_FILE_BYTES = 256 * 1024 * 1024
_UNFINISHED = ".new"
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)
"""A pipe in place of a file is refused rather than waited for."""

Step = Callable[[str], None]
"""Called between the steps of a write with the step's name; tests end the process there."""


class FolderUnsafeError(OSError):
    """The folder is a link, or others may write to it."""


def no_step(_: str) -> None:
    """The `Step` outside tests."""


class Folder:
    """One folder of mode 0700 with files of mode 0600. Methods block and raise `OSError`."""

    def __init__(self, path: Path, step: Step = no_step) -> None:
        self.path = path
        self.step = step
        self._lock = FolderLock(path, LOCK_FILE)

    def open(self) -> None:
        """Makes the folder where there is none, and keeps other processes out until `close`.

        Raises `FolderUnsafeError`, `FolderBusyError`.
        """
        if self._lock.is_held:
            return
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        self._check()
        self._lock.acquire()
        for left in self.path.glob(f"*{_UNFINISHED}"):
            left.unlink()

    def close(self) -> None:
        self._lock.release()

    def names(self) -> set[str]:
        return {entry.name for entry in self.path.iterdir()}

    def exists(self, name: str) -> bool:
        return os.path.lexists(self.path / name)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """The file's bytes, or a part of them; fewer where it ends before. Refuses links."""
        descriptor = os.open(self.path / name, os.O_RDONLY | _AT_ONCE | _FLAGS)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
                raise FolderUnsafeError("this is no file of the vault's")
            file.seek(offset)
            return file.read() if length is None else file.read(length)

    def write(self, name: str, content: bytes) -> None:
        """Puts a file there whole: after a crash it has the old content or the new.

        Where it fails, on a full disk say, nothing of the new one is left to fill the disk.
        """
        self.step(f"{name}: before")
        unfinished = self.path / (name + _UNFINISHED)
        unfinished.unlink(missing_ok=True)
        try:
            self._write(unfinished, name, content)
            self.step(f"{name}: synced")
            durable_files.replace(unfinished, self.path / name)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        self.step(f"{name}: renamed")
        durable_files.sync_folder(self.path)
        self.step(f"{name}: durable")

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self.path / name).unlink()

    def _write(self, unfinished: Path, name: str, content: bytes) -> None:
        descriptor = os.open(
            unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, stat.S_IRUSR | stat.S_IWUSR
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            self.step(f"{name}: written")
            file.flush()
            durable_files.sync(descriptor)

    def _check(self) -> None:
        status = self.path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise FolderUnsafeError(errno.ENOTDIR, "this is a link or a file", str(self.path))
        if sys.platform != "win32":
            if status.st_uid != os.getuid():
                raise FolderUnsafeError(errno.EPERM, "this belongs to another user", str(self.path))
            if status.st_mode & 0o077:
                self.path.chmod(0o700)
