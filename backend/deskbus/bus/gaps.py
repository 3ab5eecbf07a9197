"""What a client lost by reading too slowly, told to it before it reads on."""

from deskbus.bus.client import Outlet
from deskbus_protocol.bus import GapParams
from deskbus_protocol.rpc import notification


class Gaps:
    """Gathers dropped messages of one client; a topic's losses are one range, oldest first."""

    def __init__(self, outlet: Outlet, epoch: str) -> None:
        self._outlet = outlet
        self._epoch = epoch
        self._ranges: dict[str, tuple[int, int]] = {}

    def dropped(self, topic: str, seq: int) -> None:
        first, _ = self._ranges.get(topic, (seq, seq))
        self._ranges[topic] = (first, seq)

    def tell(self) -> None:
        ranges, self._ranges = self._ranges, {}
        for topic, (first, last) in ranges.items():
            gap = GapParams(
                topic=topic, epoch=self._epoch, first=first, last=last, reason="slow_reader"
            )
            self._outlet.put(notification("bus.gap", gap) + b"\n", None, 0)
