"""TrafficCounts: bytes and links of each transport, counted once a read and once a write."""

from typing import Literal

TransportName = Literal["stdio", "pipe", "websocket", "http", "memory"]


class TransportTraffic:
    """Of one transport, since the start."""

    __slots__ = ("links", "received_bytes", "sent_bytes")

    def __init__(self) -> None:
        self.links = 0
        self.received_bytes = 0
        self.sent_bytes = 0


class TrafficCounts:
    def __init__(self) -> None:
        self.of: dict[TransportName, TransportTraffic] = {}

    @property
    def received_bytes(self) -> int:
        return sum(each.received_bytes for each in self.of.values())

    def on(self, transport: TransportName) -> TransportTraffic:
        return self.of.setdefault(transport, TransportTraffic())
