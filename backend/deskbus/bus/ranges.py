"""Which messages of each topic a client will not get, as few ranges as that takes."""

from collections.abc import Iterator

from deskbus_protocol.bus import GapReason

MAX_RANGES = 100
"""For one topic and reason; beyond, the last range is stretched: it tells more, never less."""


class LostRanges:
    def __init__(self) -> None:
        self._ranges: dict[tuple[str, GapReason], list[tuple[int, int]]] = {}

    def add(self, topic: str, seq: int, reason: GapReason) -> None:
        ranges = self._ranges.setdefault((topic, reason), [])
        if ranges and ranges[-1][0] <= seq <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(seq, ranges[-1][1]))
        elif len(ranges) < MAX_RANGES:
            ranges.append((seq, seq))
        else:
            first, last = ranges[-1]
            ranges[-1] = (min(first, seq), max(last, seq))

    def add_range(self, topic: str, first: int, last: int, reason: GapReason) -> None:
        self._ranges.setdefault((topic, reason), []).append((first, last))

    def take(self) -> Iterator[tuple[str, int, int, GapReason]]:
        """Empties itself; gives (topic, first seq, last seq, reason)."""
        ranges, self._ranges = self._ranges, {}
        for (topic, reason), found in ranges.items():
            for first, last in sorted(found):
                yield topic, first, last, reason
