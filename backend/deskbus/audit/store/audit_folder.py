"""The folder of the audit log, and the operations that change the disk in it.

audit-00000001.jsonl.gz   closed, compressed, mode 0400
audit-00000002.jsonl      the one being written, 0600, append-only where the platform gives it
pruned.jsonl              the heads of files that retention removed
genesis.pub               the public key that verification starts from
keys                      see `keyfile`
anchor.json               see `anchor`; only where there is no keychain
index.db                  see `index`; may be deleted at any time
"""

import contextlib
import os
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from deskbus.storage import durable_files
from deskbus.storage.folder_lock import FolderLock
from deskbus.storage.regular_file import open_regular_file
from deskbus_protocol.wire.framing import lines_of

if sys.platform == "linux":
    import fcntl

GENESIS = "genesis.pub"
PRUNED = "pruned.jsonl"
KEYS = "keys"
ANCHOR = "anchor.json"
INDEX = "index.db"

BLOCK_LINES = 256
"""A compressed file is a row of gzip members of so many lines, each readable by itself."""

_NAME = re.compile(r"audit-(\d{8})\.jsonl(\.gz)?")
_READ_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 20
MAX_MEMBER_BYTES = 1 << 26
"""Limits far above what the log writes, so that a foreign file can't fill the memory."""

_BINARY = getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A link or a pipe in a file's place is an error, and not followed or waited for."""

_GET_FLAGS, _SET_FLAGS, _APPEND_ONLY = 0x80086601, 0x40086602, 0x20
"""ioctl_iflags(2): FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_APPEND_FL."""


class DamagedFileError(Exception):
    """A compressed file that does not decompress."""


class AuditFile(NamedTuple):
    number: int
    path: Path
    compressed: bool


class CompressedBlock(NamedTuple):
    """Whole lines without their newlines; `offset` is where they begin in the stored file."""

    offset: int
    lines: list[bytes]


def list_files(folder: Path) -> list[AuditFile]:
    """In order. Where a crash left a file in both forms, the plain one counts."""
    found: dict[int, AuditFile] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        # A link, a pipe or a device is no file of the log: it is missing then.
        if match and path.is_file() and not path.is_symlink():
            file = AuditFile(int(match[1]), path, match[2] is not None)
            if file.number not in found or not file.compressed:
                found[file.number] = file
    return [found[number] for number in sorted(found)]


def read_removed_heads(folder: Path) -> list[bytes]:
    """The heads of the files that retention removed, from the first on; raises `OSError`."""
    try:
        with open_regular_file(folder / PRUNED) as stream:
            return lines_of(stream.read())
    except FileNotFoundError:
        return []


class LineReader:
    """Iterates over a file's blocks; `rest` is then what stands behind the last newline.

    Raises `DamagedFileError` and `OSError` while it iterates.
    """

    def __init__(self, file: AuditFile, offset: int = 0, read_bytes: int = _READ_BYTES) -> None:
        self._file = file
        self._offset = offset
        self._read_bytes = read_bytes
        self.rest = b""

    def __iter__(self) -> Iterator[CompressedBlock]:
        return self._members() if self._file.compressed else self._plain()

    def _plain(self) -> Iterator[CompressedBlock]:
        with self._file.path.open("rb") as stream:
            at = self._offset
            stream.seek(at)
            pending = b""
            while chunk := stream.read(self._read_bytes):
                whole, newline, rest = (pending + chunk).rpartition(b"\n")
                if newline:
                    yield CompressedBlock(at, whole.split(b"\n"))
                    at += len(whole) + 1
                pending = rest
                if len(pending) > MAX_LINE_BYTES:
                    raise DamagedFileError(self._file.path.name)
            self.rest = pending

    def _members(self) -> Iterator[CompressedBlock]:
        with self._file.path.open("rb") as stream:
            at = self._offset
            stream.seek(at)
            stored = b""
            while True:
                stored = stored or stream.read(self._read_bytes)
                if not stored:
                    return
                text, stored, length = self._member(stream, stored)
                whole, _, rest = text.rpartition(b"\n")
                self.rest = rest
                if whole:
                    yield CompressedBlock(at, whole.split(b"\n"))
                at += length

    def _member(self, stream: BinaryIO, stored: bytes) -> tuple[bytes, bytes, int]:
        """The text of one, the stored bytes behind it, and its stored length."""
        member = zlib.decompressobj(wbits=31)
        text = bytearray()
        length = 0
        try:
            while not member.eof:
                stored = stored or stream.read(self._read_bytes)
                if not stored:
                    raise DamagedFileError(self._file.path.name)
                text += member.decompress(stored, MAX_MEMBER_BYTES)
                if len(text) >= MAX_MEMBER_BYTES:
                    raise DamagedFileError(self._file.path.name)
                length += len(stored) - len(member.unused_data)
                stored = member.unused_data
        except zlib.error as error:
            raise DamagedFileError(self._file.path.name) from error
        return bytes(text), stored, length


class AuditFolder:
    """Every method raises `OSError`; descriptors are the caller's to close."""

    def __init__(self, path: Path, *, append_only: bool = False) -> None:
        self.path = path
        self._append_only = append_only
        self._lock = FolderLock(path)

    def claim(self) -> None:
        """Keeps other writers out until `release`; raises `FolderBusyError`."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def files(self) -> list[AuditFile]:
        return list_files(self.path)

    def path_of(self, number: int) -> Path:
        return self.path / f"audit-{number:08d}.jsonl"

    def open_to_append(self, number: int) -> int:
        path = self.path_of(number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _BINARY | _NO_LINK
        descriptor = os.open(path, flags, 0o600)
        self._set_append_only(descriptor, wanted=True)
        return descriptor

    def begins(self, number: int, content: bytes) -> bool:
        """Whether all that stands in the file is the beginning of `content`."""
        with self.path_of(number).open("rb") as stream:
            return content.startswith(stream.read(len(content) + 1))

    def write(self, descriptor: int, content: bytes) -> None:
        """Writes all of it to the disk; after an error a part may have been written."""
        written = os.write(descriptor, content)
        while written < len(content):
            written += os.write(descriptor, content[written:])
        durable_files.sync(descriptor)

    def cut(self, descriptor: int, size_bytes: int) -> None:
        """Takes back what a failed write left."""
        self._set_append_only(descriptor, wanted=False)
        os.ftruncate(descriptor, size_bytes)

    def sync_names(self) -> None:
        """Files made, renamed and removed so far stay so."""
        self._lock.sync()

    def finish(self, number: int) -> None:
        """Marks a file as finished: nothing more is written into it."""
        path = self.path_of(number)
        if path.exists():
            self._release_file(path)
            path.chmod(0o400)

    def remove(self, path: Path) -> None:
        self._release_file(path)
        durable_files.remove(path)

    def move(self, path: Path, into: Path) -> None:
        if path.is_file():
            self._release_file(path)
        path.rename(into / path.name)

    def replace(self, name: str, content: bytes, *, mode: int = 0o600) -> None:
        """Writes a small file whole, or not at all."""
        unfinished = self.path / f"{name}.new"
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
        try:
            self.write(descriptor, content)
        finally:
            os.close(descriptor)
        durable_files.replace(unfinished, self.path / name)
        self.sync_names()

    def compress(self, file: AuditFile) -> None:
        """Replaces a closed file by its compressed form; the plain one goes last."""
        name = f"{file.path.name}.gz"
        packed = bytearray()
        lines: list[bytes] = []
        reader = LineReader(file)
        for block in reader:
            lines += block.lines
            while len(lines) >= BLOCK_LINES:
                packed += _gzip(b"\n".join(lines[:BLOCK_LINES]) + b"\n")
                del lines[:BLOCK_LINES]
        ending = b"".join(line + b"\n" for line in lines) + reader.rest
        if ending:
            packed += _gzip(ending)
        self.replace(name, bytes(packed), mode=0o400)
        self.remove(file.path)

    def _release_file(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                self._set_append_only(descriptor, wanted=False)
            finally:
                os.close(descriptor)

    def _set_append_only(self, descriptor: int, *, wanted: bool) -> None:
        """Only root may, and only some file systems can; elsewhere the modes must do."""
        if sys.platform == "linux":
            if os.geteuid() != 0 or (wanted and not self._append_only):
                return
            with contextlib.suppress(OSError):
                (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(8)))
                changed = flags | _APPEND_ONLY if wanted else flags & ~_APPEND_ONLY
                if changed != flags:
                    fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", changed))


def _gzip(text: bytes) -> bytes:
    """One gzip member, without a time so that the same lines give the same bytes."""
    packer = zlib.compressobj(level=6, wbits=31)
    return packer.compress(text) + packer.flush()
