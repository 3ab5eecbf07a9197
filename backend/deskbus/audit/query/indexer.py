"""Fills the index from the lines of the log, in order.

Only what a checkpoint or the head of the next file covers goes in, so what an intruder wrote behind
the end of a file is never found as a record.
"""

import sqlite3
import zlib
from typing import NamedTuple

import msgspec

from deskbus.audit.format import checkpoint
from deskbus.audit.format.lines import CHECKPOINT, HEAD, LineError, read_head
from deskbus.audit.format.merkle import HASH_BYTES, leaf_hash, root_of
from deskbus.audit.format.signed_note import NoteError
from deskbus.audit.store.audit_folder import BLOCK_LINES, AuditFile

TILE = 256
"""Leaves under one stored root, with which proofs need not read the whole log."""

COMMIT_RECORDS = 50_000


class StaleError(Exception):
    """The index does not fit the files any more."""


class Facet(NamedTuple):
    type: str
    app: str
    actor: str
    decision: str
    severity: str


class LinePlace(NamedTuple):
    """The place up to which the log was read: `size` records, up to `offset` of a file. `tile` has
    the leaf hashes of the run that is not complete yet.
    """

    file: int
    compressed: bool
    offset: int
    size: int
    tile: bytes


class _Row(msgspec.Struct, frozen=True, rename="camel"):
    seq: int
    time: int
    type: str
    severity: str
    decision: str = ""
    app: str = ""
    actor: str = "system"
    correlation_id: str = ""
    trace_id: str = ""


_row = msgspec.json.Decoder(_Row).decode


def link_key(text: str) -> int:
    """The key of a correlation or trace id. Two ids may share one, so matches must be verified."""
    content = text.encode()
    return zlib.crc32(content) << 31 ^ zlib.adler32(content)


def head_size(line: bytes) -> int:
    """The number of records in the log before the file that begins with this head; raises
    `StaleError`.
    """
    try:
        return checkpoint.read(read_head(line).note).size
    except (LineError, NoteError):
        raise StaleError from None


class Indexer:
    """One pass over new lines; `commit` writes what it has."""

    def __init__(
        self, base: sqlite3.Connection, facets: dict[Facet, int], place: LinePlace | None
    ) -> None:
        self._base = base
        self._facets = facets
        self._file: AuditFile | None = None
        self.size = place.size if place else 0
        self._started = place is not None
        stored = place.tile if place else b""
        self._leaves: list[bytes] | None = [
            stored[at : at + HASH_BYTES] for at in range(0, len(stored), HASH_BYTES)
        ]
        if len(self._leaves or ()) != self.size % TILE:
            self._leaves = None
        self._pending: list[tuple[int, bytes]] = []
        self._end = 0
        self._block: list[int] = []
        self._postings: list[tuple[int, int]] = []
        self._links: list[tuple[int, int]] = []
        self._blocks: list[tuple[int, ...]] = []
        self._tiles: list[tuple[int, bytes]] = []
        self._counts: dict[int, int] = {}

    def begin_file(self, file: AuditFile, offset: int) -> None:
        """Everything before `offset` is indexed."""
        self._file = file
        self._end = offset
        self._pending = []

    def add(self, offset: int, lines: list[bytes]) -> None:
        """Whole lines from `offset` of the stored file on."""
        compressed = self._file is not None and self._file.compressed
        at = offset
        for line in lines:
            length = 0 if compressed else len(line) + 1
            if line.startswith(CHECKPOINT):
                self._cover()
                self._end = at + length
            elif line.startswith(HEAD):
                self._begin(line)
                self._end = at + length
            else:
                self._pending.append((at, line))
            at += length
        if compressed:
            # Cut short within a compressed file, it is read anew: only that is simple.
            self._end = 0
        if len(self._postings) >= COMMIT_RECORDS:
            self.commit()

    def end_file(self, limit: int | None) -> None:
        """The next file begins at record `limit`, so what is before it counts, signed or not."""
        if limit is not None:
            self._cover(limit)
        self._pending = []
        self._close_block()

    def commit(self) -> None:
        """Hands its entries over to the index."""
        if self._file is None or not self._started:
            return
        self._close_block()
        base = self._base
        base.execute("BEGIN")
        for facet, number in self._facets.items():
            values = (number, *facet, 0)
            base.execute("INSERT OR IGNORE INTO facets VALUES (?,?,?,?,?,?,?)", values)
        for number, count in self._counts.items():
            base.execute("UPDATE facets SET count=count+? WHERE id=?", (count, number))
        self._postings.sort()
        base.executemany("INSERT OR IGNORE INTO postings VALUES (?,?)", self._postings)
        base.executemany("INSERT OR IGNORE INTO links VALUES (?,?)", self._links)
        base.executemany("INSERT OR REPLACE INTO blocks VALUES (?,?,?,?,?,?,?)", self._blocks)
        base.executemany("INSERT OR IGNORE INTO tiles VALUES (?,?)", self._tiles)
        base.execute("DELETE FROM state")
        tile = b"".join(self._leaves or ())
        state = (self._file.number, self._file.compressed, self._end, self.size, tile)
        base.execute("INSERT INTO state VALUES (?,?,?,?,?)", state)
        base.execute("COMMIT")
        self._postings, self._links, self._blocks, self._tiles = [], [], [], []
        self._counts = {}

    def _begin(self, line: bytes) -> None:
        try:
            size = head_size(line)
        except StaleError:
            if self._started:
                return  # Lines behind a damaged head are found by their own sequences.
            raise
        if not self._started:
            self._started = True
            self.size = size
            self._leaves = None if size % TILE else []
        elif size > self.size:
            # A record before was changed, and can't be found; those from here on can.
            self.size = size
            self._leaves = None if size % TILE else []

    def _cover(self, limit: int | None = None) -> None:
        for at, line in self._pending:
            try:
                row = _row(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                if limit is None or self.size < limit:
                    self._skip()
                continue
            if limit is None or row.seq < limit:
                self._place(at, row.seq, row.time)
                if row.seq == self.size:
                    self._enter(row, line)
        self._pending = []

    def _skip(self) -> None:
        """Somebody changed the record in this place; what is behind it is found all the same."""
        self.size += 1
        self._leaves = None if self.size % TILE else []

    def _enter(self, row: _Row, line: bytes) -> None:
        """A record that the index does not have yet."""
        facet = Facet(row.type, row.app, row.actor, row.decision, row.severity)
        number = self._facets.get(facet)
        if number is None:
            number = self._facets[facet] = len(self._facets) + 1
        self._postings.append((number, row.seq))
        self._counts[number] = self._counts.get(number, 0) + 1
        for key in {row.correlation_id, row.trace_id}:
            if key:
                self._links.append((link_key(key), row.seq))
        self.size = row.seq + 1
        if self._leaves is not None:
            self._leaves.append(leaf_hash(line))
            if len(self._leaves) == TILE:
                self._tiles.append((row.seq // TILE, root_of(self._leaves)))
                self._leaves = []
        elif self.size % TILE == 0:
            self._leaves = []

    def _place(self, at: int, seq: int, time_ms: int) -> None:
        block = self._block
        moved = self._file is not None and self._file.compressed and block and block[1] != at
        if block and (moved or block[2] >= BLOCK_LINES or block[0] + block[2] != seq):
            self._close_block()
            block = self._block
        if block:
            block[2] += 1
            block[3] = min(block[3], time_ms)
            block[4] = max(block[4], time_ms)
        else:
            self._block = [seq, at, 1, time_ms, time_ms]

    def _close_block(self) -> None:
        if self._block and self._file is not None:
            first, at, count, since, until = self._block
            place = (first, self._file.number, int(self._file.compressed), at, count)
            self._blocks.append((*place, since, until))
        self._block = []
