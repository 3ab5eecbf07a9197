"""Reads a query out of segments: blocks of whole lines, copied and not parsed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from deskbus.persistence.batch_sealer import BatchSealer
from deskbus.persistence.log.batch import BatchError
from deskbus.persistence.log.checksum import Buffer
from deskbus.persistence.log.segment import Damage, FoundBatch, read_at, scan
from deskbus.persistence.log.segment_index import SegmentIndex
from deskbus.persistence.log.selection import Selection

BLOCK_BYTES = 256 * 1024
"""A block is given out when it has reached this; it has at most a batch more."""


class LineBlock(NamedTuple):
    """Whole lines, perhaps none, and the position up to which the log has been read for them."""

    lines: bytes
    next_position: int


class DamageFinding(NamedTuple):
    """A stretch of a segment that can't be read and was left out; a length of 0 is all of it."""

    segment: str
    offset: int
    length: int
    reason: str


Report = Callable[[DamageFinding], None]


def read_segments(
    segments: Iterable[SegmentIndex],
    selection: Selection,
    report: Report,
    sealer: BatchSealer | None,
) -> Iterator[LineBlock]:
    """Every wanted line in order; the last block's position is the selection's end or limit.

    Damage is reported and left out, and so is a file that can't be read; one that was removed by
    the retention rules meanwhile is left out.
    """
    held: list[Buffer] = []
    held_bytes = 0
    for segment in segments:
        for found in _batches(segment, selection, report):
            lines = _pick(segment.path, found, selection, report, sealer)
            if lines:
                held.append(lines)
                held_bytes += len(lines)
            if held_bytes >= BLOCK_BYTES:
                yield LineBlock(b"".join(held), selection.position)
                held.clear()
                held_bytes = 0
            if selection.done:
                yield LineBlock(b"".join(held), selection.position)
                return
    yield LineBlock(b"".join(held), max(selection.end_position, selection.query.from_position))


def _batches(segment: SegmentIndex, selection: Selection, report: Report) -> Iterator[FoundBatch]:
    extents = list(segment.find(selection))
    if not extents:
        return
    name = segment.path.name
    try:
        with FileIO(segment.path) as file:
            for extent in extents:
                for found in scan(read_at(file, *extent), extent.offset):
                    if isinstance(found, Damage):
                        report(DamageFinding(name, found.offset, found.length, found.reason))
                    elif selection.may_hold_batch(found.head):
                        yield found
    except FileNotFoundError:
        return
    except OSError as error:
        report(DamageFinding(name, 0, 0, f"the file can't be read ({error.strerror})"))


def _pick(
    path: Path, found: FoundBatch, selection: Selection, report: Report, sealer: BatchSealer | None
) -> Buffer:
    try:
        table = found.decode_table() if selection.needs_table else None
        return selection.pick_lines(found.head, table, lambda: found.lines(sealer))
    except BatchError as error:
        report(DamageFinding(path.name, found.offset, found.head.size_bytes, error.detail))
        return b""


async def read_ahead(blocks: Iterator[LineBlock]) -> AsyncIterator[LineBlock]:
    """The blocks, read one ahead on a thread of the loop's pool."""
    loop = asyncio.get_running_loop()
    ahead = loop.run_in_executor(None, next, blocks, None)
    while (block := await ahead) is not None:
        ahead = loop.run_in_executor(None, next, blocks, None)
        yield block
