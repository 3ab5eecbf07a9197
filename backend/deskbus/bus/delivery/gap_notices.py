"""Tells a client what it lost, before it reads on."""

from collections.abc import Iterator

from deskbus_protocol.bus import GapParams, GapReason
from deskbus_protocol.wire.rpc import notification

MAX_RANGES = 100
"""Ranges kept for one topic and reason; beyond, the last one is stretched, to cover too much rather
than too little.
"""


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

    def clear(self) -> None:
        self._ranges.clear()

    def take(self) -> Iterator[tuple[str, int, int, GapReason]]:
        """Empties itself; gives (topic, first seq, last seq, reason)."""
        ranges, self._ranges = self._ranges, {}
        for (topic, reason), found in ranges.items():
            for first, last in sorted(found):
                yield topic, first, last, reason


class GapNotices:
    """Gathers the losses of one client."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._lost = LostRanges()

    def add(self, topic: str, seq: int, reason: GapReason) -> None:
        self._lost.add(topic, seq, reason)

    def add_range(self, topic: str, first: int, last: int, reason: GapReason) -> None:
        self._lost.add_range(topic, first, last, reason)

    @property
    def overflowed(self) -> bool:
        """Whether there is more to tell than can be kept."""
        return self._lost.full

    def forget(self) -> None:
        """Tells nothing of the losses so far."""
        self._lost.clear()

    def take_lines(self) -> list[bytes]:
        """The gaps since the last call, as `bus.gap` notifications."""
        return [
            notification(
                "bus.gap",
                GapParams(topic=topic, epoch=self._epoch, first=first, last=last, reason=reason),
            )
            + b"\n"
            for topic, first, last, reason in self._lost.take()
        ]
