"""Finds records: by the index where it serves, and by reading for a text."""

import heapq
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from deskbus.audit.format.lines import RECORD
from deskbus.audit.format.record_decoder import decode_record
from deskbus.audit.query.index import AuditIndex, IndexBlock
from deskbus.audit.query.matcher import Matcher
from deskbus.audit.store.audit_folder import AuditFile, DamagedFileError, LineReader, list_files
from deskbus_protocol.audit import AuditFilter, AuditOrder, AuditRecord

READ_BYTES = 1 << 17
SEARCH_S = 1.0
"""A search for a text pauses after that long, and tells where to go on."""

CACHED_BLOCKS = 64


class SearchResult(NamedTuple):
    """Lines with their records. `cursor` is where to go on; None behind the last."""

    lines: list[bytes]
    records: list[AuditRecord]
    cursor: int | None


class AuditSearch:
    """Reads one log through its index, once that has caught up; for one thread at a time."""

    def __init__(self, folder: Path, index: AuditIndex) -> None:
        self._folder = folder
        self._index = index
        self._blocks: dict[int, dict[int, bytes]] = {}
        self._newest: dict[int, bytes] = {}
        self._files: dict[int, AuditFile] = {}

    def find(
        self,
        wanted: AuditFilter,
        *,
        order: AuditOrder,
        limit: int,
        cursor: int | None,
        within_s: float = SEARCH_S,
    ) -> SearchResult:
        """Raises `OSError`."""
        self.refresh()
        newest = order == "newest"
        matcher = Matcher(wanted)
        until = time.monotonic() + within_s
        found = SearchResult([], [], None)
        for seq in self._candidates(wanted, matcher, newest=newest, cursor=cursor):
            line = self.line(seq)
            if line is not None and matcher.may_fit(line):
                record = decode_record(line)
                if matcher.fits(record):
                    found.lines.append(line)
                    found.records.append(record)
            if len(found.records) == limit or time.monotonic() > until:
                return found._replace(cursor=seq)
        return found

    def line(self, seq: int) -> bytes | None:
        """One record as it stands in the log; None where it can't be read."""
        line = self._newest.get(seq)
        if line is not None:
            return line
        block = self._index.block_of(seq)
        if block is None or not block.first <= seq < block.first + block.records:
            return None
        lines = self._blocks.get(block.first)
        if lines is None:
            if len(self._blocks) >= CACHED_BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            lines = self._blocks[block.first] = self._read(block)
        self._newest = lines
        return lines.get(seq)

    def count(self, since_ms: int | None, until_ms: int | None) -> int:
        """An upper bound of the number of records in a period."""
        low, high = self._index.span(since_ms, until_ms)
        return high - low

    def read(self, seq: int) -> bytes | None:
        """As `line`, after the files may have changed."""
        self.refresh()
        return self.line(seq)

    def refresh(self) -> None:
        """Looks for changed files; `find` and `read` do so by themselves."""
        self._blocks = {}
        self._newest = {}
        self._files = {file.number: file for file in list_files(self._folder)}

    def _candidates(
        self, wanted: AuditFilter, matcher: Matcher, *, newest: bool, cursor: int | None
    ) -> Iterator[int]:
        since = None if isinstance(wanted.since, UnsetType) else wanted.since
        until = None if isinstance(wanted.until, UnsetType) else wanted.until
        low, high = self._index.span(since, until)
        if cursor is not None:
            low, high = (low, min(high, cursor)) if newest else (max(low, cursor + 1), high)
        if wanted.correlation_id is not UNSET:
            return self._index.linked(wanted.correlation_id, low, high, newest=newest)
        if not (wanted.types or wanted.apps or wanted.actors or wanted.decisions) and (
            not wanted.severities
        ):
            return iter(range(high - 1, low - 1, -1) if newest else range(low, high))
        runs: Iterable[Iterator[int]] = [
            self._index.postings(number, low, high, newest=newest)
            for facet, number in self._index.facets.items()
            if matcher.fits_facets(*facet)
        ]
        return heapq.merge(*runs, reverse=newest)

    def _read(self, block: IndexBlock) -> dict[int, bytes]:
        file = self._files.get(block.file)
        if file is None or file.compressed != block.compressed:
            return {}
        found: dict[int, bytes] = {}
        end = block.first + block.records
        try:
            for part in LineReader(file, block.offset, READ_BYTES):
                for line in part.lines:
                    if not line.startswith(RECORD):
                        continue
                    seq = int(line[len(RECORD) : line.index(b",")])
                    if block.first <= seq < end:
                        found[seq] = line
                    elif seq >= end:
                        return found
                if len(found) == block.records:
                    return found
        except (DamagedFileError, ValueError, msgspec.MsgspecError):
            return found
        return found
