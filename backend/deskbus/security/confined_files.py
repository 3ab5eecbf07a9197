"""ConfinedFiles: files below what was permitted, and nothing that a link leads to elsewhere.

A path is canonical when it is checked. When it is opened it is walked from the root, each step
relative to the folder before it and refusing links: whoever puts a link into the way between check
and use gets an error, not another file.
"""

import errno
import heapq
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from deskbus_protocol.errors import (
    CONFLICT,
    NOT_FOUND,
    PERMISSION_DENIED,
    TOO_LARGE,
    UNAVAILABLE,
    DeskbusError,
)

SYSTEM = ("/proc", "/sys", "/dev")
"""No files: what is read there may be this process's own memory."""

MAX_OWN_FILES = 50_000
"""The most of the backend's own files that are compared with a file that has several names."""

WriteMode = Literal["create", "replace", "append"]

_PASS = getattr(os, "O_PATH", os.O_RDONLY)
"""Opens a folder to go through it; one may do that where one may not list it."""

_SUPPORTED = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Not on Windows: nothing is opened there, and the flags below stand for nothing."""

_FOLDER = getattr(os, "O_DIRECTORY", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_OURS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class FilePart(NamedTuple):
    """Some bytes of a file, and what the whole has; `modified_ms` is Unix time."""

    content: bytes
    size: int
    modified_ms: int


class FolderEntry(NamedTuple):
    name: str
    mode: int
    size: int
    modified_ms: int


class ConfinedFiles:
    """Every method blocks, takes a canonical path, and raises `DeskbusError`.

    `closed` are folders that nobody reaches, `sealed` those that nobody changes, whatever was
    permitted, nor any file in them by another of its names (a hard link).
    """

    def __init__(self, closed: tuple[Path, ...], sealed: tuple[Path, ...]) -> None:
        self._closed = (*SYSTEM, *(os.path.realpath(path) for path in closed))
        self._sealed = (*self._closed, *(os.path.realpath(path) for path in sealed))
        self._own_closed = self._closed[len(SYSTEM) :]
        self._own_sealed = self._sealed[len(SYSTEM) :]

    def check_read(self, path: str) -> None:
        """Raises `DeskbusError` (permission_denied) for what no permission reaches."""
        _check_outside(path, self._closed)

    def check_write(self, path: str) -> None:
        _check_outside(path, self._sealed)

    def read(self, path: str, offset: int, limit: int) -> FilePart:
        self.check_read(path)
        with (
            _errors(),
            _parent(path, self._own_closed) as (folder, name),
            _opened(name, os.O_RDONLY | _NO_WAIT, folder) as file,
        ):
            known = _regular(file)
            _check_links(known, self._own_closed)
            os.lseek(file, offset, os.SEEK_SET)
            content = os.read(file, limit)
            return FilePart(content, known.st_size, known.st_mtime_ns // 1_000_000)

    def write(self, path: str, content: bytes, mode: WriteMode) -> int:
        """The file's size after that. A replaced file is the old one or the new one, also after a
        crash; its own access mode stays.
        """
        self.check_write(path)
        with _errors(), _parent(path, self._own_sealed) as (folder, name):
            if mode == "replace":
                return _replace(folder, name, content)
            flags = os.O_WRONLY | _NO_WAIT | os.O_CREAT
            flags |= os.O_EXCL if mode == "create" else os.O_APPEND
            with _opened(name, flags, folder) as file:
                _check_links(_regular(file), self._own_sealed)
                _write_all(file, content)
                return os.fstat(file).st_size

    def list(self, path: str, limit: int, after: str = "") -> list[FolderEntry]:
        """Lists entries by name, at most `limit` of those behind `after`."""
        self.check_read(path)
        with (
            _errors(),
            _folder(path, self._own_closed) as place,
            _opened(".", os.O_RDONLY | _FOLDER, place) as folder,
        ):
            with os.scandir(folder) as entries:
                # However many there are, no more than `limit` names are kept.
                names = heapq.nsmallest(
                    limit,
                    (each.name for each in entries if each.name > after and _is_text(each.name)),
                )
            found = []
            for name in names:
                try:
                    known = os.stat(name, dir_fd=folder, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                modified_ms = known.st_mtime_ns // 1_000_000
                found.append(FolderEntry(name, known.st_mode, known.st_size, modified_ms))
            return found


def _is_text(name: str) -> bool:
    """Whether it can be told in JSON; a name that is no UTF-8 can't be asked for either."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def _check_outside(path: str, folders: tuple[str, ...]) -> None:
    if any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders):
        raise _out_of_reach()


def _out_of_reach() -> DeskbusError:
    return DeskbusError(
        PERMISSION_DENIED,
        "No app may reach this, whatever it was allowed.",
        action="Choose another place for the file.",
    )


def _identities(paths: tuple[str, ...]) -> set[tuple[int, int]]:
    """The identities of those that exist."""
    found = set()
    for path in paths:
        try:
            found.add(_identity(Path(path).stat()))
        except OSError:
            continue
    return found


def _check_links(known: os.stat_result, folders: tuple[str, ...]) -> None:
    """Raises `DeskbusError` where a file with several names is one of those in `folders`."""
    if known.st_nlink < 2:
        return
    wanted = _identity(known)
    for seen, entry in enumerate(_entries_below(folders)):
        # Too many to tell: then no file with a second name is certain to be none of them.
        if seen >= MAX_OWN_FILES or (
            entry.inode() == known.st_ino and _identity(entry.stat(follow_symlinks=False)) == wanted
        ):
            raise _out_of_reach()


def _entries_below(folders: Iterable[str]) -> Iterator["os.DirEntry[str]"]:
    """The entries that can be read; others are not the backend's own."""
    waiting = list(folders)
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry
        except OSError:
            continue


def _identity(known: os.stat_result) -> tuple[int, int]:
    return known.st_dev, known.st_ino


@contextmanager
def _folder(path: str, closed: tuple[str, ...]) -> Iterator[int]:
    """A descriptor of the folder at a canonical path, reached without following a link.

    None of the folders on the way is a closed one under another name: in other letter case where
    the file system does not tell, or mounted elsewhere too.
    """
    if not _SUPPORTED:
        raise DeskbusError(UNAVAILABLE, "Files can't be reached safely on this system.")
    known = _identities(closed)
    at = os.open("/", _PASS | _FOLDER | _OURS)
    try:
        for step in PurePosixPath(path).parts[1:]:
            flags = _PASS | _FOLDER | _OURS
            below = os.open(step, flags, dir_fd=at)
            os.close(at)
            at = below
            if _identity(os.fstat(at)) in known:
                raise _out_of_reach()
        yield at
    finally:
        os.close(at)


@contextmanager
def _parent(path: str, closed: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    if path == "/":
        raise DeskbusError(CONFLICT, "This is a folder.")
    folder, _, name = path.rpartition("/")
    with _folder(folder or "/", closed) as descriptor:
        try:
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            if _identity(found) in _identities(closed):
                raise _out_of_reach()
        yield descriptor, name


@contextmanager
def _opened(name: str, flags: int, folder: int) -> Iterator[int]:
    descriptor = os.open(name, flags | _OURS, 0o600, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _regular(descriptor: int) -> os.stat_result:
    """Raises `DeskbusError` (conflict) for a folder, a device, a pipe."""
    known = os.fstat(descriptor)
    if not stat.S_ISREG(known.st_mode):
        raise DeskbusError(CONFLICT, "This is no ordinary file.")
    return known


def _replace(folder: int, name: str, content: bytes) -> int:
    mode = 0o600
    try:
        known = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISREG(known.st_mode):
            raise DeskbusError(CONFLICT, "This is no ordinary file.")
        mode = stat.S_IMODE(known.st_mode) & 0o777
    fresh = f".deskbus-{secrets.token_hex(8)}"
    with _opened(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, folder) as file:
        try:
            if sys.platform != "win32":
                os.fchmod(file, mode)
            _write_all(file, content)
            os.fsync(file)
            os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(fresh, dir_fd=folder)
            raise
    return len(content)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def _errors() -> Iterator[None]:
    """Faults of the file system as errors that tell no path."""
    try:
        yield
    except OSError as error:
        raise _wire_error(error) from None


def _wire_error(error: OSError) -> DeskbusError:
    match error.errno:
        case errno.ENOENT:
            return DeskbusError(NOT_FOUND, "There is no such file or folder.")
        case errno.EEXIST:
            return DeskbusError(CONFLICT, "There is a file of that name already.")
        case errno.ELOOP | errno.ENOTDIR | errno.EMLINK:
            return DeskbusError(CONFLICT, "A link or a file is in the way, where a folder was.")
        case errno.EISDIR | errno.ENXIO:
            return DeskbusError(CONFLICT, "This is no ordinary file.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            words = "This system does not let its user do that."
            return DeskbusError(PERMISSION_DENIED, words, action="Look at the file's own access.")
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return DeskbusError(TOO_LARGE, "There is no room for it on the disk.")
        case _:
            return DeskbusError(UNAVAILABLE, "The file can't be reached at the moment.")
