"""Subscriptions that bring only the messages of certain senders."""

from collections.abc import Callable, Sequence

from deskbus.bus.encoded_message import sender_of
from deskbus_protocol.bus import Source
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.topics import matches
from deskbus_protocol.wire.rpc import encode

MAX_KNOWN_TOPICS = 1_000
"""The number of senders that one client's filter remembers."""

Put = Callable[[bytes, str | None, int], None]


class SourceFilter:
    """Lets a message of a topic through if a subscription that fits it names its sender."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._wanted: dict[str, tuple[bytes, ...]] = {}
        self._of_topic: dict[str, tuple[bytes, ...]] = {}

    def set(self, pattern: str, sources: Sequence[Source]) -> None:
        """Keeps each source as a prefix of its senders' JSON: an app's, or a client's in full."""
        self._wanted[pattern] = tuple(_beginning(source) for source in sources)
        self._of_topic.clear()

    def drop(self, pattern: str) -> None:
        self._wanted.pop(pattern, None)
        self._of_topic.clear()

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        if topic is not None and self.wants(line, topic):
            self._put(line, topic, seq)

    def wants(self, line: bytes, topic: str) -> bool:
        wanted = self._of_topic.get(topic)
        if wanted is None:
            if len(self._of_topic) >= MAX_KNOWN_TOPICS:
                self._of_topic.clear()
            wanted = self._of_topic[topic] = tuple(
                beginning
                for pattern, beginnings in self._wanted.items()
                if matches(pattern, topic)
                for beginning in beginnings
            )
        return sender_of(line).startswith(wanted)


def _beginning(source: Source) -> bytes:
    if isinstance(source.client, str):
        return encode(ClientId(source.app, source.client))
    return b'{"app":%b,' % encode(source.app)
