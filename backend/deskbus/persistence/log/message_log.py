"""MessageLog: the segments of one folder, written by one thread and read by any."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from deskbus.contracts.log_query import LogQuery
from deskbus.contracts.progress import ReportProgress
from deskbus.persistence.batch_sealer import BatchSealer
from deskbus.persistence.log.batch import SEALED, BatchError, Encoded, Messages, count_lines, encode
from deskbus.persistence.log.file_operations import Files
from deskbus.persistence.log.last_seqs import LastSeqs
from deskbus.persistence.log.reader import DamageFinding, LineBlock, read_segments
from deskbus.persistence.log.retention import LogRetention, expired, vouched_ms
from deskbus.persistence.log.segment import (
    SEGMENT_BYTES,
    Damage,
    Segment,
    scan_file,
    segment_path,
    segment_paths,
)
from deskbus.persistence.log.segment_index import SegmentIndex, TopicSets
from deskbus.persistence.log.segment_summary import (
    last_seqs_of,
    load_summary,
    refuse_newer_summary,
    save_summary,
    summary_path,
)
from deskbus.persistence.log.selection import Selection
from deskbus.storage.folder_lock import FolderLock
from deskbus.storage.newer_format import NewerFormatError

MAX_FINDINGS = 1000

log = structlog.get_logger()


class WrittenBatches(NamedTuple):
    """The number of batches that are on disk for good, and the fault that kept the others out."""

    batches: int
    error: BaseException | None


class OpenedLog(NamedTuple):
    """The state of the log when this run opened it; times are Unix ms."""

    position: int
    at_ms: int
    newest_ms: int | None


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """`findings` counts damaged stretches; times are Unix ms, null while there is no message."""

    segments: int
    size_bytes: int
    messages: int
    oldest_ms: int | None
    newest_ms: int | None
    findings: int


class MessageLog:
    """Every method blocks. `read`, `statistics` and `last_seqs` may be called on any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        clock_ms: Callable[[], int],
        retention: LogRetention | None = None,
        compress: bool = False,
        sealer: BatchSealer | None = None,
        files: Files | None = None,
    ) -> None:
        self.folder = folder
        self.position = 0
        self.synced_position = 0
        """All before it is on the disk itself."""
        self.opened = False
        self.found: OpenedLog | None = None
        self._clock_ms = clock_ms
        self._retention = retention or LogRetention()
        self._compress = compress
        self._sealer = sealer
        self._files = files or Files()
        self._segments: list[SegmentIndex] = []
        self._sets = TopicSets()
        self._seqs = LastSeqs()
        self._segment_seqs: dict[str, int] = {}
        self._findings: dict[DamageFinding, None] = {}
        self._lock = FolderLock(folder)
        self._active: Segment | None = None
        self._unsynced = False
        self._suspect = False

    def open(self, *, read_only: bool = False) -> None:
        """Finds out what is there. A torn end is cut off; other damage is reported and left.

        Read only, nothing is changed and another process may write. Raises `OSError`, and can be
        called again then; `NewerFormatError` for a log that a later version has written to, which
        is read only at most.
        """
        self._close_active()
        segments: list[SegmentIndex] = []
        unsummarised: list[tuple[SegmentIndex, dict[str, int]]] = []
        self._seqs, self.position = LastSeqs(), 0
        if not read_only:
            self._files.make_folder(self.folder)
            self._files.lock_folder(self._lock)
        paths = segment_paths(self.folder)
        for first_position, path in paths:
            newest = path is paths[-1][1]
            index = SegmentIndex(path, first_position, self._sets)
            damage = self._recover(index, unsummarised, newest=newest, read_only=read_only)
            segments.append(index)
            self.position = max(self.position, index.end_position)
            if newest and not read_only:
                self._resume(index, damage)
        self._segments = segments
        for closed, last_seqs in unsummarised:
            self._summarise(closed, last_seqs)
        self.synced_position = self.position
        self.opened = True
        if self.found is None:
            times = [index.last_ms for index in segments if index.last_ms is not None]
            self.found = OpenedLog(self.position, self._clock_ms(), max(times, default=None))
        if not read_only:
            self.retain_quietly()

    def write(self, batches: Sequence[Messages], *, sync: bool) -> WrittenBatches:
        """Appends `batches`, and with `sync` returns only when they are on the disk itself.

        After an error nothing is in the log but the batches that it counts, so the others can
        be written again. Opens the log if that has not worked before.
        """
        done = 0
        added: list[tuple[int, Encoded]] = []
        try:
            if not self.opened:
                self.open()
            self._make_sound()
            position = self.position
            for number, batch in enumerate(batches):
                if not batch.late:
                    batch.first_position = max(batch.first_position, position)
                encoded = encode(batch, compress=self._compress, sealer=self._sealer)
                if self._active and self._active.size_bytes + len(encoded.data) > SEGMENT_BYTES:
                    self._sync()
                    self._commit(added)
                    self.synced_position = self.position
                    self._close_active()
                    self._summarise(self._segments[-1], self._segment_seqs)
                    done = number
                active = self._active or self._begin(max(batch.first_position, position))
                added.append((active.size_bytes, encoded))
                self._unsynced = True
                active.append(encoded.data)
                position = max(position, batch.end_position)
            if sync:
                self._sync()
        except OSError as error:
            self._roll_back()
            return WrittenBatches(done, error)
        self._commit(added)
        if sync:
            self.synced_position = self.position
        return WrittenBatches(len(batches), None)

    def read(
        self, query: LogQuery, *, without: frozenset[int] = frozenset()
    ) -> Iterator[LineBlock]:
        """The wanted lines that were in the log when this was called, in order.

        Batches whose first position is in `without` are left out.
        """
        selection = Selection(query, self.position, without)
        segments = self._segments
        behind = (each for each in segments if self._may_hold(each, segments[-1], selection))
        return read_segments(behind, selection, self._report, self._sealer)

    @property
    def first_position(self) -> int:
        """Of the oldest message that is kept."""
        segments = self._segments
        return segments[0].first_position if segments else self.position

    def retain(self) -> None:
        """Removes the oldest segments as the rules want it; raises `OSError`."""
        now_ms = self._clock_ms()
        if self.found is not None:
            now_ms = vouched_ms(now_ms, self.found.at_ms, self.found.newest_ms)
        count = expired(self._segments, self._retention, now_ms)
        if not count:
            return
        log.info(
            "persistence.retention",
            segments=count,
            messages=sum(segment.messages for segment in self._segments[:count]),
            size_bytes=sum(segment.size_bytes for segment in self._segments[:count]),
            up_to_ms=self._segments[count - 1].last_ms,
        )
        if count == len(self._segments):
            # An empty segment carries the position on.
            self._close_active()
            self._begin(self.position)
            return
        gone, self._segments = self._segments[:count], self._segments[count:]
        for segment in gone:
            self._files.remove(segment.path)
            self._files.remove(summary_path(segment.path))
        self._files.sync_folder(self._lock)

    def verify(self, progress: ReportProgress = lambda done, total: None) -> list[DamageFinding]:
        """Reads everything and says what is damaged; what can't be read is a finding too."""
        segments = self._segments
        total = sum(segment.size_bytes for segment in segments)
        done = 0
        findings: list[DamageFinding] = []
        for segment in segments:
            size = segment.size_bytes
            findings += _verify_segment(segment.path, size)
            done += size
            progress(done, total)
        return findings

    def statistics(self) -> Statistics:
        segments = self._segments
        oldest = [segment.first_ms for segment in segments if segment.first_ms is not None]
        newest = [segment.last_ms for segment in segments if segment.last_ms is not None]
        return Statistics(
            segments=len(segments),
            size_bytes=sum(segment.size_bytes for segment in segments),
            messages=sum(segment.messages for segment in segments),
            oldest_ms=min(oldest, default=None),
            newest_ms=max(newest, default=None),
            findings=len(self._findings),
        )

    def last_seqs(self) -> dict[str, int]:
        return self._seqs.copy()

    @property
    def forgotten_seq(self) -> int:
        """The highest last seq of topics that are not among `last_seqs` for want of room."""
        return self._seqs.forgotten

    @property
    def findings(self) -> list[DamageFinding]:
        """The damage found since the log was opened, in the order of discovery."""
        return list(self._findings)

    def close(self, position: int = 0) -> None:
        """Syncs what is not yet; raises `OSError`, and is closed nevertheless.

        Positions up to `position` have been given out, and are not given out again.
        """
        try:
            if self._active:
                self._sync()
            if position > self.position and self.opened:
                self._close_active()
                self._begin(position)
        finally:
            self._close_active()
            self.opened = False
            self._lock.release()

    def _may_hold(self, segment: SegmentIndex, newest: SegmentIndex, selection: Selection) -> bool:
        """Whether a segment may have a message from the wanted seqs on."""
        if not selection.query.from_seqs or segment is newest:
            return True
        last_seqs = last_seqs_of(segment.path)
        return last_seqs is None or selection.may_hold_any(last_seqs)

    def _recover(
        self,
        index: SegmentIndex,
        unsummarised: list[tuple[SegmentIndex, dict[str, int]]],
        *,
        newest: bool,
        read_only: bool,
    ) -> Damage | None:
        """Fills `index` from its file; returns the damage that the file ends in, if any.

        Changes nothing on the disk: what comes after it may be of a later version.
        """
        last_seqs: dict[str, int] | None
        try:
            if not read_only:
                refuse_newer_summary(index.path)
            last_seqs = None if newest else load_summary(index)
            if last_seqs is not None:
                self._seqs.update(last_seqs)
                return None
            last_seqs = {}
            damages = list(self._scan(index, last_seqs, bodies=newest))
            index.size_bytes = index.path.stat().st_size
        except NewerFormatError:
            raise
        except OSError as error:
            reason = f"the file can't be read ({error.strerror})"
            self._report(DamageFinding(index.path.name, 0, 0, reason))
            return Damage(0, index.size_bytes, reason, torn=False)
        self._seqs.update(last_seqs)
        for damage in damages:
            self._report_damage(index, damage)
            if damage.newer and not read_only:
                raise NewerFormatError("the message log")
        if newest:
            self._segment_seqs = last_seqs
        elif not damages and not read_only and index.messages:
            unsummarised.append((index, last_seqs))
        ends_damaged = damages and damages[-1].offset + damages[-1].length >= index.size_bytes
        return damages[-1] if ends_damaged else None

    def _scan(
        self, index: SegmentIndex, last_seqs: dict[str, int], *, bodies: bool
    ) -> Iterator[Damage]:
        for found in scan_file(index.path, bodies=bodies):
            if isinstance(found, Damage):
                yield found
                continue
            try:
                table = found.decode_table()
            except BatchError as error:
                yield Damage(found.offset, found.head.size_bytes, error.detail, torn=False)
                continue
            index.add(found.offset, found.head, table)
            last_seqs.update({topic: within.last_seq for topic, within in table.items()})

    def _resume(self, index: SegmentIndex, damage: Damage | None) -> None:
        """Goes on in the newest segment, or leaves a damaged one alone for the next."""
        if damage and not damage.torn:
            # More than can have been in what is damaged: no position is given out twice.
            self.position += max(damage.length, 1)
            return
        if index.size_bytes >= SEGMENT_BYTES:
            return
        self._files.remove(summary_path(index.path))
        descriptor = self._files.open(index.path)
        self._active = Segment(self._files, descriptor, index.size_bytes)
        if damage:
            self._active.roll_back(damage.offset)
            index.size_bytes = damage.offset
            self._unsynced = True

    def _make_sound(self) -> None:
        """Does what an error before has left to do."""
        if self._active:
            self._active.roll_back(self._segments[-1].size_bytes)
            if self._suspect:
                # The behaviour of a descriptor after a failed sync is not defined.
                self._close_active()
        self._suspect = False

    def _roll_back(self) -> None:
        if self._active:
            try:
                self._active.roll_back(self._segments[-1].size_bytes)
            except OSError as error:
                log.warning("persistence.roll_back_failed", reason=error.strerror)

    def _sync(self) -> None:
        if self._active and self._unsynced:
            try:
                self._active.sync()
            except OSError:
                self._suspect = True
                raise
            self._unsynced = False

    def _commit(self, added: list[tuple[int, Encoded]]) -> None:
        """Shows readers what was written to the active segment."""
        for offset, encoded in added:
            self._segments[-1].add(offset, encoded.head, encoded.table)
            last_seqs = {topic: within.last_seq for topic, within in encoded.table.items()}
            self._segment_seqs.update(last_seqs)
            self._seqs.update(last_seqs)
            self.position = max(self.position, encoded.head.end_position)
        added.clear()

    def _summarise(self, index: SegmentIndex, last_seqs: dict[str, int]) -> None:
        try:
            save_summary(index, last_seqs, self._files)
        except OSError as error:
            log.warning("persistence.no_summary", reason=error.strerror)

    def _begin(self, first_position: int) -> Segment:
        path = segment_path(self.folder, first_position)
        try:
            descriptor = self._files.create(path)
        except FileExistsError:
            # Left behind by an attempt that failed before anything was written.
            if path.stat().st_size:
                raise
            descriptor = self._files.open(path)
        try:
            self._files.sync_folder(self._lock)
        except OSError:
            os.close(descriptor)
            raise
        self._active = Segment(self._files, descriptor, 0)
        if not self._segments or self._segments[-1].path != path:
            self._segments = [*self._segments, SegmentIndex(path, first_position, self._sets)]
            self._segment_seqs = {}
        self.retain_quietly()
        return self._active

    def retain_quietly(self) -> None:
        try:
            self.retain()
        except OSError as error:
            log.warning("persistence.clean_up_failed", reason=error.strerror)

    def _close_active(self) -> None:
        if self._active:
            self._active.close()
            self._active = None

    def _report_damage(self, index: SegmentIndex, damage: Damage) -> None:
        self._report(DamageFinding(index.path.name, damage.offset, damage.length, damage.reason))

    def _report(self, finding: DamageFinding) -> None:
        if finding in self._findings or len(self._findings) >= MAX_FINDINGS:
            return
        self._findings[finding] = None
        log.warning("persistence.damaged", **finding._asdict())


def _verify_segment(path: Path, size_bytes: int) -> Iterator[DamageFinding]:
    name = path.name
    try:
        for found in scan_file(path, bodies=True):
            if found.offset >= size_bytes:
                # Written since: the log does not count it as there yet.
                return
            if isinstance(found, Damage):
                yield DamageFinding(name, found.offset, found.length, found.reason)
                continue
            size = found.head.size_bytes
            try:
                found.decode_table()
                if found.head.flags & SEALED:
                    continue  # its checksums are right, and its lines are not ours to read
                lines = count_lines(bytes(found.lines()))
            except BatchError as error:
                yield DamageFinding(name, found.offset, size, error.detail)
                continue
            if lines != found.head.messages:
                yield DamageFinding(name, found.offset, size, "the number of messages is wrong")
    except FileNotFoundError:
        return
    except OSError as error:
        yield DamageFinding(name, 0, 0, f"the file can't be read ({error.strerror})")
