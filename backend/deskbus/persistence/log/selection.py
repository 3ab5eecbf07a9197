"""Evaluates a query of the log on its batches, without parsing a message."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.log.batch import BatchHead, Messages, Table
from deskbus.persistence.log.checksum import Buffer
from deskbus_protocol.wire.line import SENDER, SEQ, TIMESTAMP, TOPIC
from deskbus_protocol.wire.rpc import encode

MEMBER = b',"'

MAX_PREFIXES = 8
"""Up to so many, a line is compared with each; beyond, its topic is looked up."""

_TOPIC_AT = len(TOPIC)

N = TypeVar("N")


class Selection:
    """One reading of a query: what it takes from each batch, until its limit is reached."""

    def __init__(
        self, query: LogQuery, end_position: int, without: frozenset[int] = frozenset()
    ) -> None:
        """Reads up to `end_position` or the query's own, whichever comes first.

        Batches whose first position is in `without` are left out.
        """
        self.query = query
        self._without = without
        self.end_position = end_position
        if query.to_position is not None:
            self.end_position = min(end_position, query.to_position)
        self.left = query.limit
        self.position = query.from_position
        """Everything before it has been picked through."""

        self._wanted: dict[str, bool] = {}

    @property
    def done(self) -> bool:
        return self.left is not None and self.left <= 0

    def wants(self, topic: str) -> bool:
        if self.query.wants is None:
            return True
        wanted = self._wanted.get(topic)
        if wanted is None:
            wanted = self._wanted[topic] = self.query.wants(topic)
        return wanted

    def first_seq(self, topic: str) -> int:
        """The seq from which on the topic's messages are wanted."""
        return max(self.query.from_seq, self.query.from_seqs.get(topic, 0))

    def may_hold_any(self, last_seqs: Mapping[str, int]) -> bool:
        """Whether messages up to these seqs may include a wanted one."""
        return any(
            last >= self.first_seq(topic) and self.wants(topic) for topic, last in last_seqs.items()
        )

    def may_hold(
        self,
        first_ms: int,
        last_ms: int,
        first_position: int,
        end_position: int,
        topics: Collection[str] | None,
    ) -> bool:
        """Whether messages within these bounds may include a wanted one."""
        query = self.query
        if end_position <= query.from_position or first_position >= self.end_position:
            return False
        if query.from_ms is not None and last_ms < query.from_ms:
            return False
        if query.to_ms is not None and first_ms >= query.to_ms:
            return False
        if topics is None or query.wants is None:
            return True
        return any(self.wants(topic) for topic in topics)

    def may_hold_batch(self, head: BatchHead) -> bool:
        return head.first_position not in self._without and self.may_hold(
            head.first_ms, head.last_ms, head.first_position, head.end_position, None
        )

    @property
    def needs_table(self) -> bool:
        query = self.query
        return query.wants is not None or query.from_seq > 0 or bool(query.from_seqs)

    def pick_topics(self, table: Table) -> dict[str, bool]:
        """The topics to take, each with whether all its messages have the seqs asked for."""
        return {
            topic: within.first_seq >= self.first_seq(topic)
            for topic, within in table.items()
            if within.last_seq >= self.first_seq(topic) and self.wants(topic)
        }

    def pick_lines(
        self, head: BatchHead, table: Table | None, unpack: Callable[[], Buffer]
    ) -> Buffer:
        """The wanted lines of a batch: its body untouched where all of it is wanted.

        Raises what `unpack` raises; it gives the batch's body and is called only if needed.
        """
        before = self.position
        self.position = max(before, min(head.end_position, self.end_position))
        picked = None if table is None else self.pick_topics(table)
        if picked is not None and not picked:
            return b""
        whole_topics = (
            picked is None or table is None or (len(picked) == len(table) and all(picked.values()))
        )
        if whole_topics and self._fits_whole(head):
            if self.left is not None:
                self.left -= head.messages
            return unpack()
        every = bytes(unpack()).split(b"\n")[:-1]
        skipped = max(self.query.from_position - head.first_position, 0)
        lines = every[skipped : self.end_position - head.first_position]
        if picked is not None and not whole_topics:
            lines = self._of_topics(lines, picked)
        if not self._fits_times(head):
            lines = [line for line in lines if self._in_time(_number_after(TIMESTAMP, line))]
        lines = self._within_limit(lines, every, head.first_position, before)
        return b"\n".join((*lines, b"")) if lines else b""

    def pick_messages(self, messages: Messages) -> bytes:
        """The wanted lines of messages that are still in memory."""
        query = self.query
        before = self.position
        self.position = max(before, min(messages.end_position, self.end_position))
        taken = []
        columns = zip(messages.topics, messages.seqs, messages.lines, strict=True)
        all_in_time = self._in_time(messages.first_ms) and self._in_time(messages.last_ms)
        for position, (topic, seq, line) in enumerate(columns, messages.first_position):
            if (
                query.from_position <= position < self.end_position
                and seq >= self.first_seq(topic)
                and self.wants(topic)
                and (all_in_time or self._in_time(_number_after(TIMESTAMP, line)))
            ):
                taken.append(line)
        return b"".join(self._within_limit(taken, messages.lines, messages.first_position, before))

    def _within_limit(
        self, taken: list[bytes], every: list[bytes], first_position: int, before: int
    ) -> list[bytes]:
        if self.left is None:
            return taken
        if len(taken) >= self.left > 0:
            taken = taken[: self.left]
            last = taken[-1]
            number = next(number for number, line in enumerate(every) if line is last)
            self.position = max(before, first_position + number + 1)
        self.left -= len(taken)
        return taken

    def _fits_whole(self, head: BatchHead) -> bool:
        return (
            self._fits_times(head)
            and head.first_position >= self.query.from_position
            and head.end_position <= self.end_position
            and (self.left is None or head.messages <= self.left)
        )

    def _fits_times(self, head: BatchHead) -> bool:
        return self._in_time(head.first_ms) and self._in_time(head.last_ms)

    def _in_time(self, timestamp_ms: int) -> bool:
        query = self.query
        return (query.from_ms is None or timestamp_ms >= query.from_ms) and (
            query.to_ms is None or timestamp_ms < query.to_ms
        )

    def _of_topics(self, lines: list[bytes], picked: dict[str, bool]) -> list[bytes]:
        if len(picked) <= MAX_PREFIXES and all(picked.values()):
            starts = tuple(TOPIC + encode(topic) + SENDER for topic in picked)
            return [line for line in lines if line.startswith(starts)]
        first_seqs = {
            encode(topic): 0 if whole else self.first_seq(topic) for topic, whole in picked.items()
        }
        found = []
        for line in lines:
            first = first_seqs.get(line[_TOPIC_AT : line.find(SENDER, _TOPIC_AT)])
            if first is not None and (first == 0 or _number_after(SEQ, line) >= first):
                found.append(line)
        return found


def _number_after(marker: bytes, line: bytes) -> int:
    """The member's value; a line of another shape counts as 0."""
    start = line.find(marker, _TOPIC_AT)
    if start < 0:
        return 0
    start += len(marker)
    number = line[start : line.find(MEMBER, start)]
    return int(number) if number.isdigit() else 0
