"""The index of the log: made from its files, thrown away and made anew whenever that is simpler.

Records with the same type, app, actor, decision and severity share a *facet*; there are hundreds of
those among millions of records. For each facet the index has the sequences in order, so that a
query which names any of the five reads only what it returns, in either direction.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import structlog

from deskbus.audit.format.lines import LineError
from deskbus.audit.query.indexer import Facet, Indexer, LinePlace, StaleError, head_size, link_key
from deskbus.audit.store.audit_folder import (
    INDEX,
    AuditFile,
    DamagedFileError,
    LineReader,
    list_files,
)
from deskbus.storage.newer_format import NewerFormatError

VERSION = 3
_VERSION_AT = 60
"""Where SQLite's file format has the user version, in 4 bytes."""

_SCHEMA = """
CREATE TABLE facets (id INTEGER PRIMARY KEY, type TEXT, app TEXT, actor TEXT, decision TEXT,
                     severity TEXT, count INTEGER);
CREATE TABLE postings (facet INTEGER, seq INTEGER, PRIMARY KEY (facet, seq)) WITHOUT ROWID;
CREATE TABLE links (key INTEGER, seq INTEGER, PRIMARY KEY (key, seq)) WITHOUT ROWID;
CREATE TABLE blocks (first INTEGER PRIMARY KEY, file INTEGER, compressed INTEGER, offset INTEGER,
                     count INTEGER, since INTEGER, until INTEGER);
CREATE TABLE tiles (number INTEGER PRIMARY KEY, root BLOB);
CREATE TABLE state (file INTEGER, compressed INTEGER, offset INTEGER, size INTEGER, tile BLOB);
"""

log = structlog.get_logger()


class IndexBlock(NamedTuple):
    """Where records lie: `count` from `first` on, at `offset` of the stored file; times in ms."""

    first: int
    file: int
    compressed: bool
    offset: int
    records: int
    since_ms: int
    until_ms: int


class AuditIndex:
    """For one thread at a time. Its methods raise `OSError` where the log can't be read."""

    def __init__(self, folder: Path, place: Path | None = None) -> None:
        """`place` is the index's own file; it lies beside the log unless told otherwise."""
        self._folder = folder
        self._path = place or folder / INDEX
        self._base: sqlite3.Connection | None = None
        self._facets: dict[Facet, int] = {}

    def close(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    def throw_away(self) -> None:
        """Deletes the index, unless a later version made it."""
        self.close()
        if is_newer_index(self._path):
            return
        for suffix in ("", "-wal", "-shm", "-journal"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def catch_up(self) -> int:
        """Takes in what was written since, and returns how many records are known.

        Raises `LineError` where not even the first file can be made sense of, `NewerFormatError`
        where a later version made the index.
        """
        try:
            return self._catch_up()
        except (sqlite3.DatabaseError, StaleError):
            self.throw_away()
            try:
                return self._catch_up()
            except StaleError:
                raise LineError("the first file does not begin with its head") from None

    @property
    def facets(self) -> dict[Facet, int]:
        """The id of each facet."""
        return self._facets

    def counts(self) -> list[tuple[Facet, int]]:
        rows = self._open().execute(
            "SELECT type, app, actor, decision, severity, count FROM facets"
        )
        return [(Facet(*row[:5]), row[5]) for row in rows]

    def postings(self, facet: int, low: int, high: int, *, newest: bool) -> Iterator[int]:
        """Sequences from `low` up to but excluding `high`."""
        order = "DESC" if newest else "ASC"
        query = f"SELECT seq FROM postings WHERE facet=? AND seq>=? AND seq<? ORDER BY seq {order}"  # noqa: S608
        return (row[0] for row in self._open().execute(query, (facet, low, high)))

    def linked(self, key: str, low: int, high: int, *, newest: bool) -> Iterator[int]:
        """Records whose correlation id or trace id may be `key`."""
        order = "DESC" if newest else "ASC"
        query = f"SELECT seq FROM links WHERE key=? AND seq>=? AND seq<? ORDER BY seq {order}"  # noqa: S608
        return (row[0] for row in self._open().execute(query, (link_key(key), low, high)))

    def block_of(self, seq: int) -> IndexBlock | None:
        query = "SELECT * FROM blocks WHERE first<=? ORDER BY first DESC LIMIT 1"
        row = self._open().execute(query, (seq,)).fetchone()
        return IndexBlock(row[0], row[1], bool(row[2]), *row[3:]) if row else None

    def span(self, since_ms: int | None, until_ms: int | None) -> tuple[int, int]:
        """The range of sequences, without its end, that holds every record of a period."""
        low_query = "SELECT min(first) FROM blocks WHERE until>=?"
        high_query = "SELECT max(first+count) FROM blocks WHERE since<?"
        base = self._open()
        low = base.execute(low_query, (-1 if since_ms is None else since_ms,)).fetchone()[0]
        high = base.execute(high_query, (1 << 62 if until_ms is None else until_ms,)).fetchone()[0]
        return (0, 0) if low is None or high is None else (low, high)

    def times(self) -> tuple[int, int] | None:
        """The first and the last time, Unix milliseconds; None for an empty log."""
        low, high = self._open().execute("SELECT min(since), max(until) FROM blocks").fetchone()
        return None if low is None else (low, high)

    def tiles(self) -> dict[int, bytes]:
        """The root of each complete run of leaves, by its number (see `indexer.TILE`)."""
        return dict(self._open().execute("SELECT number, root FROM tiles"))

    def _open(self) -> sqlite3.Connection:
        if self._base is not None:
            return self._base
        if is_newer_index(self._path):
            raise NewerFormatError("the audit log's index")
        base = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._base = base
        with contextlib.suppress(OSError):
            self._path.chmod(0o600)
        # It can be made anew, so nothing is synced; a write that was torn is noticed and repaired.
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=OFF")
        if base.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            if base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise StaleError
            base.executescript(_SCHEMA)
            base.execute(f"PRAGMA user_version={VERSION}")
        else:
            _check_counts(base)
        rows = base.execute("SELECT id, type, app, actor, decision, severity FROM facets")
        self._facets = {Facet(*row[1:]): row[0] for row in rows}
        return base

    def _catch_up(self) -> int:
        base = self._open()
        files = list_files(self._folder)
        row = base.execute("SELECT file, compressed, offset, size, tile FROM state").fetchone()
        place = LinePlace(row[0], bool(row[1]), row[2], row[3], row[4]) if row else None
        if place is not None and (not files or files[-1].number < place.file):
            raise StaleError
        if not files:
            return 0
        if place is not None:
            self._forget_pruned(base, files[0])
        indexer = Indexer(base, self._facets, place)
        moved = self._moved(base, files) if place else set()
        # A log that has just begun has no file yet.
        for file, following in zip(files, [*files[1:], None], strict=False):
            if place is None or file.number > place.file or file.number in moved:
                self._index_file(indexer, file, following, 0)
            elif file.number == place.file:
                same = file.compressed == place.compressed
                self._index_file(indexer, file, following, place.offset if same else 0)
        indexer.commit()
        return indexer.size

    def _index_file(
        self, indexer: Indexer, file: AuditFile, following: AuditFile | None, offset: int
    ) -> None:
        indexer.begin_file(file, offset)
        limit = None if following is None else _first_of(following)
        try:
            for block in LineReader(file, offset):
                indexer.add(block.offset, block.lines)
        except DamagedFileError:
            log.warning("audit.file_damaged", file=file.path.name)
        indexer.end_file(limit)

    def _moved(self, base: sqlite3.Connection, files: list[AuditFile]) -> set[int]:
        """Files that were compressed since, whose records have other offsets now."""
        plain = {row[0] for row in base.execute("SELECT file FROM blocks WHERE compressed=0")}
        moved = {file.number for file in files if file.compressed and file.number in plain}
        for number in moved:
            base.execute("DELETE FROM blocks WHERE file=?", (number,))
        return moved

    def _forget_pruned(self, base: sqlite3.Connection, first: AuditFile) -> None:
        query = "SELECT max(first+count) FROM blocks WHERE file<?"
        low = base.execute(query, (first.number,)).fetchone()[0]
        if low is None:
            return
        base.execute("BEGIN")
        for facet in self._facets.values():
            gone = base.execute("DELETE FROM postings WHERE facet=? AND seq<?", (facet, low))
            base.execute("UPDATE facets SET count=count-? WHERE id=?", (gone.rowcount, facet))
        base.execute("DELETE FROM links WHERE seq<?", (low,))
        base.execute("DELETE FROM blocks WHERE file<?", (first.number,))
        base.execute("COMMIT")


def is_newer_index(path: Path) -> bool:
    """Whether a later version made it. The file alone is read: to open it could change it."""
    try:
        with path.open("rb") as file:
            head = file.read(_VERSION_AT + 4)
    except OSError:
        return False
    is_index = head.startswith(b"SQLite format 3\0") and len(head) == _VERSION_AT + 4
    return is_index and int.from_bytes(head[_VERSION_AT:]) > VERSION


def _check_counts(base: sqlite3.Connection) -> None:
    """Raises `StaleError` where records are missing from the index, or were added to it."""
    found = dict(base.execute("SELECT facet, count(*) FROM postings GROUP BY facet"))
    said = dict(base.execute("SELECT id, count FROM facets WHERE count<>0"))
    if found != said:
        raise StaleError


def _first_of(file: AuditFile) -> int | None:
    """The first record's sequence; None where the file has no whole head yet."""
    try:
        for block in LineReader(file):
            return head_size(block.lines[0])
    except (DamagedFileError, StaleError):
        log.warning("audit.file_damaged", file=file.path.name)
    return None
