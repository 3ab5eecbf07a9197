"""One segment file: appended to by its writer, scanned and read by anybody."""

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from deskbus.persistence.batch_sealer import BatchSealer
from deskbus.persistence.log.batch import (
    HEAD_BYTES,
    MAGIC,
    BatchError,
    BatchHead,
    Table,
    decode_table,
    read_body,
    read_head,
    read_table,
    unpack_body,
)
from deskbus.persistence.log.checksum import Buffer
from deskbus.persistence.log.file_operations import Files

SEGMENT_BYTES = 10_000_000
"""A segment that has grown past this, or would, is closed and the next one begun."""

SUFFIX = ".seg"
NAME_DIGITS = 20
WINDOW_BYTES = 32 * 1024
"""Read at once while scanning heads: many small batches, or the head of a big one."""


class FoundBatch(NamedTuple):
    """A batch at `offset`; without a body when only heads were asked for."""

    offset: int
    head: BatchHead
    table: memoryview
    body: memoryview

    def decode_table(self) -> Table:
        """Raises `BatchError`."""
        return decode_table(self.table)

    def lines(self, sealer: BatchSealer | None = None) -> Buffer:
        """Raises `BatchError`."""
        return unpack_body(self.head, self.body, sealer)


class Damage(NamedTuple):
    """Bytes that hold no whole batch. `torn`: the file ends in the middle of one."""

    offset: int
    length: int
    reason: str
    torn: bool
    newer: bool = False


def segment_path(folder: Path, first_position: int) -> Path:
    return folder / f"{first_position:0{NAME_DIGITS}d}{SUFFIX}"


def segment_paths(folder: Path) -> list[tuple[int, Path]]:
    """The segments in `folder` by first position, in order; raises `OSError`."""
    found = []
    for path in folder.iterdir():
        stem = path.name.removesuffix(SUFFIX)
        if path.suffix == SUFFIX and len(stem) == NAME_DIGITS and stem.isdecimal():
            found.append((int(stem), path))
    return sorted(found)


class Segment:
    """The file that is written to. After an error, `roll_back` before anything else."""

    def __init__(self, files: Files, descriptor: int, size_bytes: int) -> None:
        self._files = files
        self._descriptor = descriptor
        self._ragged = False
        self.size_bytes = size_bytes

    def append(self, data: bytearray) -> None:
        """Raises `OSError`; some of `data` may be in the file then."""
        self._ragged = True
        self._files.write_at(self._descriptor, self.size_bytes, data)
        self._ragged = False
        self.size_bytes += len(data)

    def sync(self) -> None:
        """Raises `OSError`."""
        self._files.sync(self._descriptor)

    def roll_back(self, size_bytes: int) -> None:
        """Takes away what was written after `size_bytes`; raises `OSError`."""
        if self._ragged or self.size_bytes > size_bytes:
            self.size_bytes = size_bytes
            self._ragged = True
            self._files.truncate(self._descriptor, size_bytes)
            self._ragged = False

    def close(self) -> None:
        os.close(self._descriptor)


def scan_file(path: Path, *, bodies: bool) -> Iterator[FoundBatch | Damage]:
    """Every batch and every damaged stretch of a file, in order; raises `OSError`.

    Without `bodies`, batches are taken by their heads and tables and not read further.
    """
    with FileIO(path) as file:
        size = os.fstat(file.fileno()).st_size
        within = min(size, SEGMENT_BYTES)
        yield from scan(read_at(file, 0, within)) if bodies else _scan_heads(file, within)
        if size > within:
            yield Damage(within, size - within, "the file is longer than a segment", torn=False)


def scan(block: bytes, offset: int = 0) -> Iterator[FoundBatch | Damage]:
    """Every batch and every damaged stretch of `block`, which lies at `offset` in its file."""
    data = memoryview(block)
    at = 0
    while at < len(data):
        try:
            head = read_head(data, at)
            table = read_table(data, head, at)
            end = at + head.size_bytes
            try:
                yield FoundBatch(offset + at, head, table, read_body(data, head, at))
            except BatchError as error:
                if error.reason == "torn":
                    raise
                yield Damage(offset + at, head.size_bytes, error.detail, torn=False)
        except BatchError as error:
            end = _next_head(block, data, at + 1)
            torn = error.reason == "torn" and end == len(data)
            yield Damage(offset + at, end - at, error.detail, torn, error.reason == "newer")
        at = end


def _next_head(block: bytes, data: memoryview, at: int) -> int:
    """Where the next head begins that fits its check; the end of the block where there is none."""
    at = block.find(MAGIC, at)
    while at >= 0:
        try:
            read_table(data, read_head(data, at), at)
        except BatchError as error:
            if error.reason == "newer":
                return at
            at = block.find(MAGIC, at + 1)
        else:
            return at
    return len(block)


def _scan_heads(file: FileIO, size: int) -> Iterator[FoundBatch | Damage]:
    window = memoryview(b"")
    start = at = 0
    while at < size:
        if at + HEAD_BYTES > start + len(window):
            window, start = memoryview(read_at(file, at, WINDOW_BYTES)), at
        try:
            head = read_head(window, at - start)
            if at - start + HEAD_BYTES + head.table_bytes > len(window):
                wanted = max(HEAD_BYTES + head.table_bytes, WINDOW_BYTES)
                window, start = memoryview(read_at(file, at, wanted)), at
            table = read_table(window, head, at - start)
            if at + head.size_bytes > size:
                raise BatchError("torn", "the body is cut off")
        except BatchError:
            # Rare enough to read the rest of the file for it.
            yield from scan(read_at(file, at, size - at), at)
            return
        yield FoundBatch(at, head, table, table[:0])
        at += head.size_bytes


def read_at(file: FileIO, offset: int, length: int) -> bytes:
    """Up to `length` bytes, fewer at the end of the file; raises `OSError`."""
    file.seek(offset)
    parts = []
    while length > 0:
        part = file.read(length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
