"""Batches that are not in the log yet: those on their way, and those that wait. Bounded."""

from collections import deque
from collections.abc import Callable

from deskbus.persistence.log.batch import Messages

MAX_HELD_BYTES = 64 * 1024 * 1024
"""Kept while the disk fails or is slow; beyond, the oldest that wait are dropped."""


class Backlog:
    def __init__(self) -> None:
        self._flight: list[Messages] = []
        self._queue: deque[Messages] = deque()
        self.size_bytes = 0
        self.dropped = 0

    @property
    def waits(self) -> bool:
        """Whether there are batches that are not on their way."""
        return bool(self._queue)

    @property
    def batches(self) -> list[Messages]:
        """All batches, oldest first."""
        return [*self._flight, *self._queue]

    @property
    def messages(self) -> int:
        return sum(len(batch.lines) for batch in self.batches)

    def add(self, batch: Messages) -> bool:
        """Whether nothing had to be dropped for it."""
        self._queue.append(batch)
        self.size_bytes += batch.size_bytes
        return self._trim()

    def add_late(self, batches: list[Messages]) -> None:
        """Batches that waited elsewhere, and are bounded there, each before all later ones."""
        together = sorted([*self._queue, *batches], key=lambda batch: batch.first_position)
        self._queue = deque(together)
        self.size_bytes += sum(batch.size_bytes for batch in batches)

    def shift(self, positions: int) -> None:
        """The log turned out to end later than was thought."""
        for batch in self.batches:
            batch.first_position += positions

    def take_late(self, is_late: Callable[[str], bool]) -> list[Messages]:
        """Takes the messages of some topics away from those that wait; all others stay."""
        late: list[Messages] = []
        kept: list[Messages] = []
        for batch in self._queue:
            for part in batch.split(is_late):
                (late if part.late else kept).append(part)
        self._queue = deque(kept)
        self.size_bytes -= sum(batch.size_bytes for batch in late)
        return late

    def next_group(self, limit_bytes: int) -> list[Messages]:
        """The oldest batches, at least one if any waits, and not many more than `limit_bytes`."""
        size_bytes = 0
        while self._queue and size_bytes < limit_bytes:
            batch = self._queue.popleft()
            self._flight.append(batch)
            size_bytes += batch.size_bytes
        return list(self._flight)

    def complete(self, count: int, position: int) -> bool:
        """The first `count` batches are in the log, which ends at `position`; others wait again.

        Whether nothing had to be dropped.
        """
        for batch in self._flight[:count]:
            self.size_bytes -= batch.size_bytes
        self._queue.extendleft(reversed(self._flight[count:]))
        self._flight.clear()
        for batch in self._queue:
            if batch.late:
                continue
            if batch.first_position >= position:
                break
            batch.first_position = position
            position = batch.end_position
        return self._trim()

    def _trim(self) -> bool:
        dropped = self.dropped
        while self.size_bytes > MAX_HELD_BYTES and self._queue:
            batch = self._queue.popleft()
            self.size_bytes -= batch.size_bytes
            self.dropped += len(batch.lines)
        return self.dropped == dropped
