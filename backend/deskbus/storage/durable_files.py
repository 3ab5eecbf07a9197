"""Locks, durable writes and renames, by the means of each platform. Everything here blocks."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK_FILE = "lock"
"""Locked in place of its folder on Windows, where folders can't be opened."""

MAX_LINKS = 40
"""Of one path; Linux follows no more."""

REPLACE_ATTEMPTS = 25 if sys.platform == "win32" else 1
REPLACE_PAUSE_S = 0.02
"""On Windows a file can't be replaced while a virus scanner or a reader has it open."""


def lock(descriptor: int) -> None:
    """Keeps other processes from locking the same file until the descriptor is closed.

    Raises `BlockingIOError` where another process has it, else `OSError`.
    """
    if sys.platform == "win32":
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(error.errno, "another process has locked it") from error
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock_folder(folder: Path) -> int:
    """A descriptor that keeps other processes out until it is closed; raises what `lock` does."""
    if sys.platform == "win32":
        flags = os.O_RDWR | os.O_CREAT | os.O_BINARY | os.O_NOINHERIT
        descriptor = os.open(folder / LOCK_FILE, flags, 0o600)
    else:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        lock(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


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


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that this user alone may read, whatever the umask is and whoever could before.

    A pipe or a device is written as it is. Raises `OSError`.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            if sys.platform != "win32":
                os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
        file.write(content)


def exposure(folder: Path) -> tuple[bool, str]:
    """How others than this user can get at a folder's content, and whether anybody can.

    Who can write into a folder on the way to it, without the sticky bit, can put another in its
    place. "" where nobody can; a folder that is not there yet counts as safe itself. Raises
    `OSError`.
    """
    found: list[tuple[bool, str]] = []
    if sys.platform != "win32":
        if folder.exists():
            found += _exposed(folder, folder)
        for place in _on_the_way(folder):
            found += _exposed(place, folder)
        if folder.is_symlink():
            words = f"{folder} is a link: who can change the link decides what is read"
            found.append((False, words))
    return max(found, key=lambda each: each[0], default=(False, ""))


def _exposed(place: Path, folder: Path) -> list[tuple[bool, str]]:
    found: list[tuple[bool, str]] = []
    if sys.platform != "win32":
        status = place.stat()
        way = "" if place == folder else f", and so put another folder in the place of {folder}"
        if way and status.st_mode & stat.S_ISVTX:
            # There only its owner removes or renames a file.
            return []
        if status.st_mode & stat.S_IWOTH:
            found.append((True, f"anybody on this machine can write into {place}{way}"))
        elif status.st_uid not in (os.geteuid(), 0):
            words = f"{place} belongs to another user, who can change what is in it{way}"
            found.append((False, words))
        elif status.st_mode & stat.S_IWGRP:
            found.append((False, f"its group can write into {place}{way}"))
    return found


def _on_the_way(folder: Path) -> Iterator[Path]:
    """Each folder that a name of the path is looked up in, through its links as well."""
    todo, seen = [_plain(folder)], set[Path]()
    followed = set[tuple[Path, Path]]()
    while todo:
        path = todo.pop()
        for step in (path, *path.parents):
            if step != path and step not in seen and step.exists():
                seen.add(step)
                yield step
            new = (step, path) not in followed and len(followed) < MAX_LINKS
            if new and step.is_symlink():
                followed.add((step, path))
                todo.append(_plain(step.parent / step.readlink() / path.relative_to(step)))


def _plain(path: Path) -> Path:
    """Absolute and without `..`, but through the same links."""
    return Path(os.path.normpath(Path.cwd() / path))
