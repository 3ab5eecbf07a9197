"""The sparse index: what lies where in a segment, a note for about every 64 KiB.

A run is a few batches that lie side by side. It tells times, positions and topics, so that a query
reads the runs that may hold an answer and no others. A hundred full segments have some 16,000 runs.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from deskbus.persistence.log.batch import BatchHead, Table
from deskbus.persistence.log.selection import Selection

RUN_BYTES = 64 * 1024
MAX_RUN_TOPICS = 64
"""A run with more topics does not list them: it is always looked into."""

MAX_SEGMENT_TOPICS = 1024
MAX_EXTENT_BYTES = 1024 * 1024
"""Neighbouring runs are read in one go up to this, so that a read costs little memory."""

Topics = frozenset[str] | None
"""None where there are too many to list."""


class TopicRun(NamedTuple):
    offset: int
    length: int
    first_ms: int
    last_ms: int
    first_position: int
    end_position: int
    topics: Topics


class Extent(NamedTuple):
    """Bytes of a segment file that begin and end with whole batches."""

    offset: int
    length: int


class TopicSets:
    """Keeps one set for many runs that have the same topics."""

    def __init__(self) -> None:
        self._known: dict[frozenset[str], frozenset[str]] = {}

    def shared(self, topics: frozenset[str]) -> frozenset[str]:
        if len(self._known) >= MAX_SEGMENT_TOPICS:
            self._known.clear()
        return self._known.setdefault(topics, topics)


class SegmentIndex:
    """One segment's runs and their sum. Written by one thread; another may read meanwhile.

    Positions are bounds: a batch that had to wait stands behind later ones.
    """

    def __init__(self, path: Path, first_position: int, sets: TopicSets) -> None:
        self.path = path
        self.first_position = first_position
        self.end_position = first_position
        self.size_bytes = 0
        self.messages = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.topics: Topics = frozenset()
        self._runs: list[TopicRun] = []
        self._sets = sets

    @property
    def runs(self) -> list[TopicRun]:
        return list(self._runs)

    def restore(
        self, runs: list[TopicRun], topics: Collection[str], messages: int, size_bytes: int
    ) -> None:
        """Takes over what an index of the same segment had noted."""
        self._runs = [
            run if run.topics is None else run._replace(topics=self._sets.shared(run.topics))
            for run in runs
        ]
        self.first_ms = min(run.first_ms for run in runs)
        self.last_ms = max(run.last_ms for run in runs)
        self.topics = frozenset(topics) if len(topics) <= MAX_SEGMENT_TOPICS else None
        self.messages = messages
        self.first_position = min(self.first_position, *(run.first_position for run in runs))
        self.end_position = max(self.end_position, *(run.end_position for run in runs))
        self.size_bytes = size_bytes

    def add(self, offset: int, head: BatchHead, table: Table) -> None:
        """Notes a batch that is whole in the file."""
        last = self._runs[-1] if self._runs else None
        if last and last.offset + last.length == offset and last.length < RUN_BYTES:
            self._runs[-1] = TopicRun(
                last.offset,
                last.length + head.size_bytes,
                min(last.first_ms, head.first_ms),
                max(last.last_ms, head.last_ms),
                min(last.first_position, head.first_position),
                max(last.end_position, head.end_position),
                self._union(last.topics, table, MAX_RUN_TOPICS),
            )
        else:
            topics = self._union(frozenset(), table, MAX_RUN_TOPICS)
            times = (head.first_ms, head.last_ms)
            positions = (head.first_position, head.end_position)
            self._runs.append(TopicRun(offset, head.size_bytes, *times, *positions, topics))
        first_ms, last_ms = self.first_ms, self.last_ms
        self.first_ms = head.first_ms if first_ms is None else min(first_ms, head.first_ms)
        self.last_ms = head.last_ms if last_ms is None else max(last_ms, head.last_ms)
        self.topics = self._union(self.topics, table, MAX_SEGMENT_TOPICS)
        self.messages += head.messages
        self.first_position = min(self.first_position, head.first_position)
        self.end_position = max(self.end_position, head.end_position)
        self.size_bytes = offset + head.size_bytes

    def find(self, selection: Selection) -> Iterator[Extent]:
        """Where to look, in order; neighbours are joined."""
        if not self.messages or not selection.may_hold(
            self.first_ms or 0,
            self.last_ms or 0,
            self.first_position,
            self.end_position,
            self.topics,
        ):
            return
        start = end = 0
        for run in list(self._runs):
            if not selection.may_hold(*run[2:]):
                continue
            if run.offset != end or end - start >= MAX_EXTENT_BYTES:
                if end > start:
                    yield Extent(start, end - start)
                start = run.offset
            end = run.offset + run.length
        if end > start:
            yield Extent(start, end - start)

    def _union(self, topics: Topics, table: Table, limit: int) -> Topics:
        if topics is None or table.keys() <= topics:
            return topics
        union = topics.union(table)
        return self._sets.shared(union) if len(union) <= limit else None
