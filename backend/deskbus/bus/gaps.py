"""Tells a client what it lost, before it reads on."""

from deskbus.bus.ranges import LostRanges
from deskbus_protocol.bus import GapParams, GapReason
from deskbus_protocol.rpc import notification


class Gaps:
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

    def take_lines(self) -> list[bytes]:
        """What there is to tell since the last time, as `bus.gap` notifications."""
        return [
            notification(
                "bus.gap",
                GapParams(topic=topic, epoch=self._epoch, first=first, last=last, reason=reason),
            )
            + b"\n"
            for topic, first, last, reason in self._lost.take()
        ]
