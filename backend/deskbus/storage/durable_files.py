"""Durable writes and renames, by the means of each platform. Everything here blocks."""

import os
import stat
import sys
import time
from pathlib import Path

if sys.platform != "win32":
    import fcntl

REPLACE_ATTEMPTS = 25 if sys.platform == "win32" else 1
REPLACE_PAUSE_S = 0.02
"""On Windows a file can't be replaced while a virus scanner or a reader has it open."""


def sync(descriptor: int) -> None:
    """Returns when what was written is on the disk itself, as far as the system can tell."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif sys.platform == "linux":
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Files made, renamed and removed so far stay so. Windows has no such call, nor the need."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Removes a file that may not be there; a read-only one too, which Windows would keep."""
    if sys.platform == "win32" and path.exists():
        path.chmod(stat.S_IWRITE)
    path.unlink(missing_ok=True)


def replace(unfinished: Path, path: Path) -> None:
    """Puts `unfinished` in the place of `path` in one step; raises `OSError`."""
    for attempt in range(1, REPLACE_ATTEMPTS + 1):
        try:
            unfinished.replace(path)
        except PermissionError:
            if attempt == REPLACE_ATTEMPTS:
                raise
            time.sleep(REPLACE_PAUSE_S)
        else:
            return


def write_whole(path: Path, content: bytes) -> None:
    """Puts a private file in the place of `path`; after a power failure it is the old or the new.

    Two writers of one path must not run at a time. Raises `OSError`.
    """
    unfinished = path.with_suffix(".new")
    write_private(unfinished, content, is_synced=True)
    replace(unfinished, path)
    sync_folder(path.parent)


def write_private(path: Path, content: bytes, *, is_synced: bool = False) -> None:
    """Writes a file that this user alone may read, whatever the umask is and whoever could before.

    A pipe or a device is written as it is. With `is_synced` it is on the disk when this returns.
    Raises `OSError`.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            if sys.platform != "win32":
                os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
        file.write(content)
        if is_synced:
            file.flush()
            sync(descriptor)
