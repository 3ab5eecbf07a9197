"""One participant of the bus: an identity, its subscriptions, and where its messages go."""

from typing import Protocol

from deskbus.bus.topic import Topic
from deskbus_protocol.envelope import Sender
from deskbus_protocol.rpc import encode
from deskbus_protocol.topics import is_wildcard, matches


class Outlet(Protocol):
    """Where a client's lines go; it may drop a message of a topic, and tells when it does."""

    def put(self, line: bytes, topic: str | None, seq: int) -> None: ...


class Route:
    """A sender's way to a topic: may it write there, and how its messages begin."""

    __slots__ = ("prefix", "topic")

    def __init__(self, sender: Sender, topic: Topic) -> None:
        self.topic = topic
        self.prefix = (
            b'{"jsonrpc":"2.0","method":"bus.message","params":{"topic":%b,"sender":%b,'
            b'"epoch":%b,"seq":' % (encode(topic.name), encode(sender), encode(topic.epoch))
        )


class BusClient:
    __slots__ = ("identity", "outlet", "patterns", "routes")

    def __init__(self, identity: Sender, outlet: Outlet) -> None:
        self.identity = identity
        self.outlet = outlet
        self.patterns: set[str] = set()
        self.routes: dict[str, Route] = {}

    def wants(self, topic: str) -> bool:
        if topic in self.patterns:
            return True
        return any(is_wildcard(pattern) and matches(pattern, topic) for pattern in self.patterns)
