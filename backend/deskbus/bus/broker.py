"""MessageBroker: stamps a message, finds its readers, hands each the same bytes."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from msgspec import UNSET, Raw, UnsetType

from deskbus.bus.client import BusClient, Route
from deskbus.bus.topic import STALE, Topic
from deskbus.bus.trie import PatternTrie
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import NOT_FOUND, PERMISSION_DENIED, DeskbusError
from deskbus_protocol.rpc import encode
from deskbus_protocol.topics import check_pattern, check_topic, is_wildcard

MAX_TOPICS = 100_000
"""Topics whose state is kept; beyond, the longest unused without readers are forgotten."""

MAX_ROUTES = 10_000
"""Ways kept for one sender; beyond, they are found anew."""

ClockMs = Callable[[], int]


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Acl(Protocol):
    """Who may read and write which topic."""

    def may_read(self, identity: Sender, topic: str) -> bool: ...

    def may_write(self, identity: Sender, topic: str) -> bool: ...


class MessageBroker:
    """Routes within one epoch, one run of the backend.

    An exact topic costs one dictionary lookup. Readers by wildcard, and whether each may read the
    topic, are worked out once and kept until a subscription or a grant changes.
    """

    def __init__(self, epoch: str, acl: Acl, clock_ms: ClockMs = wall_clock_ms) -> None:
        self.epoch = epoch
        self._acl = acl
        self._clock_ms = clock_ms
        self._exact: dict[str, set[BusClient]] = {}
        self._wild: PatternTrie[BusClient] = PatternTrie()
        self._topics: dict[str, Topic] = {}
        self._topics_made = 0
        self._forgotten_seq = 0
        self._generation = 0
        self._now = 0
        self._now_text = b"0"
        self.counts: Counter[str] = Counter()

    def publish(
        self,
        client: BusClient,
        name: str,
        payload: Raw,
        options: PublishParams | None = None,
        reply_to: str | None = None,
    ) -> Topic:
        """Delivers to everyone who may read; returns the topic with the message's stamps.

        Raises `DeskbusError` (invalid_topic, permission_denied).
        """
        route = client.routes.get(name)
        if route is None:
            route = self._find_route(client, name)
        topic = route.topic
        if topic.generation != self._generation:
            self._find_targets(topic)
        line = self._stamp(route, payload, options, reply_to)
        topic.remember(line)
        seq = topic.seq
        for target in topic.targets:
            target.outlet.put(line, name, seq)
        return topic

    def send(
        self,
        client: BusClient,
        targets: tuple[BusClient, ...],
        topic: Topic,
        payload: Raw,
        options: PublishParams | None = None,
        reply_to: str | None = None,
    ) -> None:
        """Delivers to these clients alone; `topic` counts their messages apart from the public."""
        line = self._stamp(Route(client.identity, topic), payload, options, reply_to)
        for target in targets:
            target.outlet.put(line, topic.name, topic.seq)

    def subscribe(self, client: BusClient, pattern: str) -> None:
        """Raises `DeskbusError` (invalid_topic)."""
        check_pattern(pattern)
        client.patterns.add(pattern)
        if is_wildcard(pattern):
            self._wild.add(pattern, client)
            self._generation += 1
        else:
            self._exact.setdefault(pattern, set()).add(client)
            self._expire_targets(pattern)

    def unsubscribe(self, client: BusClient, pattern: str) -> None:
        """Raises `DeskbusError` (not_found) where the client has no such subscription."""
        if pattern not in client.patterns:
            raise DeskbusError(NOT_FOUND, "There is no subscription to this pattern.")
        client.patterns.discard(pattern)
        if is_wildcard(pattern):
            self._wild.remove(pattern, client)
            self._generation += 1
        else:
            readers = self._exact[pattern]
            readers.discard(client)
            if not readers:
                del self._exact[pattern]
            self._expire_targets(pattern)

    def remove(self, client: BusClient) -> None:
        for pattern in list(client.patterns):
            self.unsubscribe(client, pattern)

    def grants_changed(self, clients: list[BusClient]) -> None:
        """Forgets what was worked out from the permissions as they were before."""
        self._generation += 1
        for client in clients:
            client.routes.clear()

    def new_topic(self, name: str) -> Topic:
        self._topics_made += 1
        return Topic(name, self.epoch, self._topics_made, self._forgotten_seq)

    def _stamp(
        self,
        route: Route,
        payload: Raw,
        options: PublishParams | None,
        reply_to: str | None,
    ) -> bytes:
        """The message as one line, encoded once for all its readers."""
        topic = route.topic
        now = self._clock_ms()
        if now != self._now:
            self._now, self._now_text = now, b"%d" % now
        topic.timestamp = now
        topic.seq = seq = topic.seq + 1
        number = b"%d" % seq
        message_id = topic.id_prefix
        if options is None and reply_to is None:
            return b"".join(
                (
                    route.prefix,
                    number,
                    b',"id":"',
                    message_id,
                    number,
                    b'","correlationId":"',
                    message_id,
                    number,
                    b'","timestamp":',
                    self._now_text,
                    b',"payload":',
                    payload,
                    b"}}\n",
                )
            )
        correlation, members = _members(options, reply_to)
        return b'%b%b,"id":"%b%b","correlationId":%b,"timestamp":%b%b,"payload":%b}}\n' % (
            route.prefix,
            number,
            message_id,
            number,
            correlation or b'"%b%b"' % (message_id, number),
            self._now_text,
            members,
            payload,
        )

    def _find_route(self, client: BusClient, name: str) -> Route:
        check_topic(name)
        if not self._acl.may_write(client.identity, name):
            raise DeskbusError(PERMISSION_DENIED, f"This app may not write to {name}.")
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = self.new_topic(name)
            if len(self._topics) > MAX_TOPICS:
                self._forget_unused_topics()
        if len(client.routes) >= MAX_ROUTES:
            client.routes.clear()
        route = client.routes[name] = Route(client.identity, topic)
        return route

    def _find_targets(self, topic: Topic) -> None:
        readers = self._wild.match(topic.name) | self._exact.get(topic.name, set())
        may_read = self._acl.may_read
        topic.targets = tuple(reader for reader in readers if may_read(reader.identity, topic.name))
        topic.generation = self._generation

    def _expire_targets(self, name: str) -> None:
        topic = self._topics.get(name)
        if topic is not None:
            topic.generation = STALE

    def _forget_unused_topics(self) -> None:
        """Makes room for a tenth; a topic that comes back counts on from where any had got to."""
        unused = [topic for topic in self._topics.values() if not topic.targets]
        for topic in unused[: MAX_TOPICS // 10]:
            del self._topics[topic.name]
            self._forgotten_seq = max(self._forgotten_seq, topic.seq)


def _members(options: PublishParams | None, reply_to: str | None) -> tuple[bytes, bytes]:
    """The sender's own correlation id, if any, and the other optional members as JSON."""
    correlation = b""
    members = []
    if options is not None:
        if not isinstance(options.correlation_id, UnsetType):
            correlation = encode(options.correlation_id)
        named = (
            ("headers", options.headers),
            ("ttl", options.ttl),
            ("priority", options.priority),
            ("_meta", options.meta),
        )
        members = [
            b',"%b":%b' % (name.encode(), encode(value))
            for name, value in named
            if value is not UNSET
        ]
    if reply_to is not None:
        members.append(b',"replyTo":%b' % encode(reply_to))
    return correlation, b"".join(members)
