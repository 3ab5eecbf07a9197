"""One participant of the bus: an identity, its subscriptions, and where its messages go."""

from enum import IntEnum
from typing import Protocol

from deskbus.bus.topic import Topic
from deskbus_protocol import line
from deskbus_protocol.envelope import Sender
from deskbus_protocol.rpc import encode
from deskbus_protocol.topics import is_wildcard, matches


class Outlet(Protocol):
    """Where a client's lines go; it may drop a message of a topic, and tells when it does."""

    def put(self, line: bytes, topic: str | None, seq: int) -> None: ...


class Rank(IntEnum):
    """Which reader of a client gets a message that several of its subscriptions match."""

    FILTERED = 0
    LIVE = 1
    ACKNOWLEDGED = 2
    REPLAY = 3


class Reader:
    """One way in which a client reads; where it leads may change while messages flow."""

    __slots__ = ("client", "put", "rank")

    def __init__(self, client: "BusClient", rank: Rank, outlet: Outlet) -> None:
        self.client = client
        self.rank = rank
        self.put = outlet.put

    def lead_to(self, outlet: Outlet) -> None:
        self.put = outlet.put

    def forward(self, line: bytes, topic: str | None, seq: int) -> None:
        """Puts it to where this leads by then."""
        self.put(line, topic, seq)

    def end(self) -> None:
        """Leads nowhere; a topic that nobody publishes on may know this reader for long."""
        self.put = _nowhere


def _nowhere(line: bytes, topic: str | None, seq: int) -> None:
    """Takes what is sent to a client that has ended."""


class BusClient:
    """`writable` holds the topics that this client may write to, as far as it has tried."""

    __slots__ = ("__weakref__", "identity", "signature", "subscriptions", "writable")

    def __init__(self, identity: Sender, epoch: str) -> None:
        self.identity = identity
        self.signature = encode(identity) + line.EPOCH + encode(epoch) + line.SEQ
        self.subscriptions: dict[str, Reader] = {}
        self.writable: dict[str, Topic] = {}

    def reader_of(self, topic: str) -> Reader | None:
        """The highest-ranking reader whose subscription the topic fits."""
        found = [
            reader
            for pattern, reader in self.subscriptions.items()
            if pattern == topic or (is_wildcard(pattern) and matches(pattern, topic))
        ]
        return max(found, key=lambda reader: reader.rank, default=None)
