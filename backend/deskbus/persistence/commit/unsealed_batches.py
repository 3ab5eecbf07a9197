"""Sensitive messages that can't be encrypted yet: they wait in memory, and hold nobody up."""

from collections import Counter

from deskbus.persistence.log.batch import Messages

MAX_UNSEALED_MESSAGES = 10_000
MAX_UNSEALED_BYTES = 16 * 1024 * 1024
"""Beyond either, new messages are refused: those that wait are worth no less than new ones."""

MAX_NAMED = 20


class UnsealedBatches:
    """Batches in the order of their positions; bounded by whoever asks `full` before."""

    def __init__(self) -> None:
        self.batches: list[Messages] = []
        self.messages = 0
        self.size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self.batches)

    @property
    def full(self) -> bool:
        return self.messages >= MAX_UNSEALED_MESSAGES or self.size_bytes >= MAX_UNSEALED_BYTES

    @property
    def topics(self) -> Counter[str]:
        """The number of waiting messages, by topic."""
        return Counter(topic for batch in self.batches for topic in batch.topics)

    @property
    def end_position(self) -> int:
        return self.batches[-1].end_position if self.batches else 0

    def add(self, batch: Messages) -> None:
        self.batches.append(batch)
        self.messages += len(batch.lines)
        self.size_bytes += batch.size_bytes

    def take(self) -> list[Messages]:
        """Removes and returns all batches."""
        batches, self.batches = self.batches, []
        self.messages = self.size_bytes = 0
        return batches

    def shift(self, positions: int) -> None:
        """The log turned out to end later than was thought."""
        for batch in self.batches:
            batch.first_position += positions


def named(topics: Counter[str]) -> dict[str, int]:
    """The topics with most messages, few enough for one line of a log."""
    return dict(topics.most_common(MAX_NAMED))
