"""MessageBroker: stamps a message, finds its readers, hands each the same bytes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import anyio.lowlevel
from msgspec import UNSET, Raw, UnsetType

from deskbus.bus.ingress.remote_message import remote_line
from deskbus.bus.route import LARGE_BYTES, STALE, BusClient, Reader, Topic
from deskbus.bus.topic_table import TopicTable
from deskbus.bus.trie import MAX_VISITS, PatternTrie
from deskbus.contracts.bus_access import TopicAccess
from deskbus.contracts.message_log import MessageLogWriter
from deskbus.storage.clocks import ClockMs, SteadyClock
from deskbus_protocol.bus import MessageParams, PublishParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import NOT_FOUND, OVERLOADED, PERMISSION_DENIED, DeskbusError
from deskbus_protocol.topics import check_pattern, check_topic, is_wildcard, literal_start
from deskbus_protocol.wire.line import CORRELATION, END, PAYLOAD, TIMESTAMP
from deskbus_protocol.wire.rpc import encode

MAX_WRITABLE = 2000
"""Topics remembered as writable for one sender; beyond, permissions are looked up anew."""


NOTED_AT_ONCE = 500
"""Reads noted before other work gets its turn; one takes about a microsecond."""


MAX_ROUTED = 1_000
"""Topics of one first level whose readers are known, and that are looked through when a pattern of
that level comes or goes; beyond, the readers of all topics are worked out anew.
"""

MAX_SUBSCRIPTIONS = 1_000
"""Of one client."""

FEW_SUBSCRIPTIONS = 32
"""Subscriptions of one client that end together and are handled one by one; with more, the readers
of all topics are determined anew, which costs others less.
"""


class Plain(Protocol):
    """A message without options."""

    @property
    def topic(self) -> str: ...

    @property
    def payload(self) -> Raw: ...


Refuse = Callable[[DeskbusError, str], None]
"""Is told why a message on a topic was not routed."""


OnStage = Callable[[str], None]
"""Is told the name of each stage of a message as it ends."""


class MessageBroker:
    """Routes within one epoch, one run of the backend.

    An exact topic costs one dictionary lookup. Readers by wildcard, and whether each may read the
    topic, are worked out once and kept until a subscription or a grant changes.
    """

    def __init__(
        self,
        epoch: str,
        acl: TopicAccess,
        log: MessageLogWriter | None = None,
        clock_ms: ClockMs | None = None,
    ) -> None:
        """`clock_ms` gives Unix milliseconds that never step; messages are stamped by it."""
        self.epoch = epoch
        self._acl = acl
        self._log = log
        self.clock_ms = clock_ms = clock_ms or SteadyClock()
        self._exact: dict[str, set[Reader]] = {}
        self._wild: PatternTrie[Reader] = PatternTrie()
        self.topics = TopicTable(epoch, log, clock_ms, self._topics_forgotten)
        self._generation = 0
        self._routed: dict[str, dict[str, Topic]] = {}
        self._writers: set[BusClient] = set()
        self._on_stage: OnStage | None = None
        self._kept: list[bytes] = []
        """Lines for the log of one topic, while a block of messages is routed."""
        self._kept_from: tuple[str, int, int] | None = None
        self.messages_in = 0
        self.messages_out = 0
        self.bytes_in = 0
        self.cache_misses = 0

    def publish_plain(
        self, client: BusClient, messages: Iterable[Plain], refuse: Refuse
    ) -> Topic | None:
        """Delivers messages without options to everyone who may read them, in order.

        The hot path: everything that all messages, all of a client's, or all of a topic's have in
        common is worked out before. Returns the last message's topic with its stamps.
        """
        topic = before = None
        self._log_kept()
        now = self.clock_ms()
        timestamp_member = b'"%b%d%b' % (TIMESTAMP, now, PAYLOAD)
        writable, signature, generation = client.writable, client.signature, self._generation
        kept = self._kept
        routed = delivered = size = history_growth = 0
        for message in messages:
            name = message.topic
            topic = writable.get(name) or self._writable_or_refused(client, name, refuse)
            if topic is None:
                continue
            if topic.generation != generation:
                self._find_targets(topic)
            if topic is not before:
                if before is not None:
                    history_growth -= before.trim_history()
                    self._log_kept()
                before = topic
            topic.seq = seq = topic.seq + 1
            number = b"%d" % seq
            line = b"".join(
                (
                    topic.opening,
                    signature,
                    number,
                    topic.id_member,
                    number,
                    topic.correlation_member,
                    number,
                    timestamp_member,
                    message.payload,
                    END,
                )
            )
            topic.timestamp = now
            topic.history.append(line)
            line_bytes = len(line)
            if line_bytes > LARGE_BYTES:
                topic.has_large = True
            if topic.persisted:
                if topic.sensitive:
                    # Each is admitted by itself, and what was admitted is in the log by then.
                    self._persist(topic, line)
                else:
                    if not kept:
                        self._kept_from = (name, seq, now)
                    kept.append(line)
            targets = topic.targets
            for target in targets:
                target.put(line, name, seq)
            routed += 1
            delivered += len(targets)
            size += line_bytes
        if before is not None:
            history_growth -= before.trim_history()
            self._log_kept()
            self.topics.histories_grew(size + history_growth, before.owner)
        self._count(routed, delivered, size)
        return topic

    def publish(
        self,
        client: BusClient,
        name: str,
        payload: Raw,
        options: PublishParams | None = None,
        reply_to: str | None = None,
    ) -> Topic:
        """Delivers to everyone who may read; returns the topic with the message's stamps.

        Raises `DeskbusError` (invalid_topic, permission_denied, unavailable).
        """
        topic = client.writable.get(name) or self._writable_topic(client, name)
        if self._on_stage is not None:
            self._on_stage("permission.check")
        if topic.generation != self._generation:
            self._find_targets(topic)
        line = self._stamp(client, topic, payload, options, reply_to)
        if self._on_stage is not None:
            self._on_stage("route")
        self._deliver(topic, line)
        return topic

    @contextmanager
    def observed(self, on_stage: OnStage) -> Iterator[None]:
        """Tells `on_stage` which stage of a message ends, within a block that does not wait."""
        before, self._on_stage = self._on_stage, on_stage
        try:
            yield
        finally:
            self._on_stage = before

    def admit(self, client: BusClient, message: MessageParams) -> Topic:
        """Delivers a message from another machine: it gets a seq here and is otherwise unchanged.

        `client` serves the permission check alone. Raises `DeskbusError` (invalid_topic,
        permission_denied, unavailable).
        """
        name = message.topic
        topic = client.writable.get(name) or self._writable_topic(client, name, remote=True)
        if topic.generation != self._generation:
            self._find_targets(topic)
        topic.timestamp = self.clock_ms()
        topic.seq += 1
        self._deliver(topic, remote_line(topic, message))
        return topic

    def send(
        self,
        client: BusClient,
        targets: tuple[Reader, ...],
        topic: Topic,
        payload: Raw,
        options: PublishParams | None = None,
        reply_to: str | None = None,
    ) -> None:
        """Delivers to these clients alone; `topic` counts their messages apart from the public."""
        line = self._stamp(client, topic, payload, options, reply_to)
        if self._on_stage is not None:
            self._on_stage("route")
        for target in targets:
            target.put(line, topic.name, topic.seq)
        if self._on_stage is not None:
            self._on_stage("deliver")
        self._count(1, len(targets), len(line))

    def subscribe(self, client: BusClient, pattern: str, reader: Reader) -> None:
        """Subscribes `reader` to a pattern, in place of any other reader of the same client.

        Raises `DeskbusError` (invalid_topic).
        """
        check_pattern(pattern)
        if pattern in client.subscriptions:
            self.unsubscribe(client, pattern)
        client.subscriptions[pattern] = reader
        if is_wildcard(pattern):
            self._wild.add(pattern, reader, client.identity.app)
            self._expire_below(pattern)
        else:
            self._exact.setdefault(pattern, set()).add(reader)
            self._expire_targets(pattern)

    async def note_uses(self, note_read: Callable[[ClientId, str], None]) -> None:
        """Tells `note_read` whom each topic has reached since the last call.

        The writers are looked up in the access control anew, and are noted by that.
        """
        self._forget_writable()
        noted = 0
        for topic in self.topics.all():
            if topic.seq == topic.noted_seq:
                continue
            topic.noted_seq = topic.seq
            for target in topic.targets:
                note_read(target.client.identity, topic.name)
            noted += len(topic.targets)
            if noted >= NOTED_AT_ONCE:
                noted = 0
                await anyio.lowlevel.checkpoint()

    def check_room(self, client: BusClient, pattern: str) -> None:
        """Raises `DeskbusError` (invalid_topic; overloaded where a subscription is too much)."""
        check_pattern(pattern)
        if pattern in client.subscriptions:
            return
        if len(client.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise DeskbusError(OVERLOADED, "This client has too many subscriptions.")
        app = client.identity.app
        if is_wildcard(pattern) and (
            self._wild.work(app) + self._wild.added_work(pattern, app) > MAX_VISITS
        ):
            raise DeskbusError(
                OVERLOADED,
                "This app's patterns are too many, or too deep, to route a message quickly.",
                action="Use fewer or shorter patterns; one with # before its end costs most.",
            )

    def unsubscribe(self, client: BusClient, pattern: str) -> None:
        """Raises `DeskbusError` (not_found) where the client has no such subscription."""
        if not self._take_out(client, pattern):
            raise DeskbusError(NOT_FOUND, "There is no subscription to this pattern.")
        if is_wildcard(pattern):
            self._expire_below(pattern)
        else:
            self._expire_targets(pattern)

    def unsubscribe_all(self, client: BusClient, *, but: Reader | None = None) -> None:
        """Ends the subscriptions of a client, except those that lead to one of its readers."""
        patterns = [name for name, reader in client.subscriptions.items() if reader is not but]
        if len(patterns) <= FEW_SUBSCRIPTIONS:
            for pattern in patterns:
                self.unsubscribe(client, pattern)
            return
        for pattern in patterns:
            self._take_out(client, pattern)
        self._expire_all()

    def remove(self, client: BusClient) -> None:
        """The client has ended."""
        self.unsubscribe_all(client)
        client.writable.clear()
        self._writers.discard(client)

    def _take_out(self, client: BusClient, pattern: str) -> bool:
        reader = client.subscriptions.pop(pattern, None)
        if reader is None:
            return False
        if is_wildcard(pattern):
            self._wild.remove(pattern, reader, client.identity.app)
        else:
            readers = self._exact[pattern]
            readers.discard(reader)
            if not readers:
                del self._exact[pattern]
        return True

    def readers(self, name: str) -> dict[BusClient, Reader]:
        """The best reader of each client that has subscribed to the topic."""
        best: dict[BusClient, Reader] = {}
        for reader in self._wild.match(name) | self._exact.get(name, set()):
            known = best.get(reader.client)
            if known is None or known.rank < reader.rank:
                best[reader.client] = reader
        return best

    def targets_of(self, topic: Topic) -> tuple[Reader, ...]:
        """The readers that the topic's next message would reach."""
        if topic.generation != self._generation:
            self._find_targets(topic)
        return topic.targets

    def history(self, name: str) -> list[bytes]:
        """The topic's last messages, oldest first."""
        topic = self.topics.find(name)
        return list(topic.history) if topic else []

    def grants_changed(self, clients: list[BusClient]) -> None:
        """Drops every route that was cached under the previous permissions.

        All of them go, whichever app has changed: a rule may concern others, and such changes are
        rare.
        """
        self._expire_all()
        for client in clients:
            client.writable.clear()

    def _stamp(
        self,
        client: BusClient,
        topic: Topic,
        payload: Raw,
        options: PublishParams | None,
        reply_to: str | None,
    ) -> bytes:
        """The message as one line, encoded once for all its readers."""
        topic.timestamp = self.clock_ms()
        topic.seq += 1
        correlation, members = _members(options, reply_to)
        number = b"%d" % topic.seq
        return b"".join(
            (
                topic.opening,
                client.signature,
                number,
                topic.id_member,
                number,
                b'"',
                CORRELATION,
                correlation or b'"%b"' % topic.last_id,
                TIMESTAMP,
                b"%d" % topic.timestamp,
                members,
                PAYLOAD,
                payload,
                END,
            )
        )

    def _deliver(self, topic: Topic, line: bytes) -> None:
        """Gives the message with the topic's last stamps to all its readers, history and log."""
        topic.history.append(line)
        topic.has_large = topic.has_large or len(line) > LARGE_BYTES
        growth = len(line) - topic.trim_history()
        for target in topic.targets:
            target.put(line, topic.name, topic.seq)
        if self._on_stage is not None:
            self._on_stage("deliver")
        if topic.persisted:
            self._persist(topic, line)
            if self._on_stage is not None:
                self._on_stage("persist")
        self._count(1, len(topic.targets), len(line))
        self.topics.histories_grew(growth, topic.owner)

    def _log_kept(self) -> None:
        """Passes the messages of one publisher on one topic to the log in one call."""
        if not self._kept:
            return
        lines = self._kept.copy()
        self._kept.clear()
        if self._log is not None and self._kept_from is not None:
            self._log.extend(*self._kept_from, lines)

    def _persist(self, topic: Topic, line: bytes) -> None:
        # A reader in this process may publish while it is told of a message.
        self._log_kept()
        if self._log is not None:
            self._log.append(topic.name, topic.seq, topic.timestamp, line)

    def _count(self, routed: int, delivered: int, read_bytes: int) -> None:
        self.messages_in += routed
        self.messages_out += delivered
        self.bytes_in += read_bytes

    def _writable_or_refused(self, client: BusClient, name: str, refuse: Refuse) -> Topic | None:
        try:
            return self._writable_topic(client, name)
        except DeskbusError as error:
            refuse(error, name)
            return None

    def _writable_topic(self, client: BusClient, name: str, *, remote: bool = False) -> Topic:
        """The topic, if this client may publish on it now; a sensitive one is asked for each time.

        Raises `DeskbusError` (invalid_topic, permission_denied, unavailable).
        """
        check_topic(name)
        identity, acl = client.identity, self._acl
        always = acl.may_write(identity, name)
        if not always and not acl.may_spend(identity, "messaging.write", name):
            raise DeskbusError(PERMISSION_DENIED, f"This app may not write to {name}.")
        topic = self._admitted(self.topics.find_or_make(name, identity.app), remote=remote)
        if not always:
            # A message that is refused after all uses up nothing.
            acl.spend(identity, "messaging.write", name)
            return topic
        if topic.sensitive:
            return topic
        if len(client.writable) >= MAX_WRITABLE:
            client.writable.clear()
        client.writable[name] = topic
        self._writers.add(client)
        return topic

    def _admitted(self, topic: Topic, *, remote: bool) -> Topic:
        if topic.sensitive and self._log is not None:
            topic.in_memory = self._log.admit(topic.name, remote=remote)
        return topic

    def _find_targets(self, topic: Topic) -> None:
        """Determines the topic's readers: each permitted client once, through its best reader."""
        self.cache_misses += 1
        may_read = self._acl.may_read
        topic.targets = tuple(
            reader
            for client, reader in self.readers(topic.name).items()
            if may_read(client.identity, topic.name)
        )
        topic.generation = self._generation
        alike = self._routed.setdefault(topic.name.partition(".")[0], {})
        if len(alike) <= MAX_ROUTED:
            alike[topic.name] = topic

    def _expire_below(self, pattern: str) -> None:
        """Invalidates the cached readers of topics that may fit a pattern, until their next
        message.

        All other routes stay cached while clients subscribe and leave all the time.
        """
        start = literal_start(pattern)
        alike = self._routed.get(start.partition(".")[0], {})
        if not start or len(alike) > MAX_ROUTED:
            self._expire_all()
            return
        for name in [name for name in alike if name.startswith(start)]:
            topic = alike.pop(name)
            topic.generation = STALE
            topic.targets = ()

    def _expire_all(self) -> None:
        self._generation += 1
        self._routed.clear()

    def _topics_forgotten(self) -> None:
        self._forget_writable()
        self._expire_all()

    def _expire_targets(self, name: str) -> None:
        topic = self.topics.find(name)
        if topic is not None:
            topic.generation = STALE
            topic.targets = ()

    def _forget_writable(self) -> None:
        for client in self._writers:
            client.writable.clear()


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
