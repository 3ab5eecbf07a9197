"""Which messages of each topic a client will not get, as few ranges as that takes."""

from collections.abc import Iterator

from deskbus_protocol.bus import GapReason

MAX_RANGES = 100
"""For one topic and reason; beyond, the last range is stretched: it tells more, never less."""


MAX_TOPICS = 1000
"""A client that loses messages of more topics than this can't be told of each; it is let go."""


class LostRanges:
    """`full` says that there are losses that could not be noted one by one."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, GapReason], list[tuple[int, int]]] = {}
        self.full = False

    def add(self, topic: str, seq: int, reason: GapReason) -> None:
        ranges = self._of(topic, reason)
        if ranges is None:
            return
        if ranges and ranges[-1][0] <= seq <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(seq, ranges[-1][1]))
        elif len(ranges) < MAX_RANGES:
            ranges.append((seq, seq))
        else:
            first, last = ranges[-1]
            ranges[-1] = (min(first, seq), max(last, seq))

    def add_range(self, topic: str, first: int, last: int, reason: GapReason) -> None:
        ranges = self._of(topic, reason)
        if ranges is not None:
            ranges.append((first, last))

    def _of(self, topic: str, reason: GapReason) -> list[tuple[int, int]] | None:
        ranges = self._ranges.get((topic, reason))
        if ranges is None and len(self._ranges) < MAX_TOPICS:
            ranges = self._ranges[topic, reason] = []
        self.full = self.full or ranges is None
        return ranges

    def take(self) -> Iterator[tuple[str, int, int, GapReason]]:
        """Empties itself; gives (topic, first seq, last seq, reason)."""
        ranges, self._ranges = self._ranges, {}
        for (topic, reason), found in ranges.items():
            for first, last in sorted(found):
                yield topic, first, last, reason
