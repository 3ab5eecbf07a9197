"""One participant of the bus: an identity, its subscriptions, and where its messages go."""

from enum import IntEnum
from typing import Protocol

from deskbus_protocol.envelope import ClientId
from deskbus_protocol.topics import is_wildcard, matches
from deskbus_protocol.wire import line
from deskbus_protocol.wire.rpc import encode

HISTORY_MESSAGES = 100
HISTORY_BYTES = 256 * 1024
LARGE_BYTES = HISTORY_BYTES // HISTORY_MESSAGES
"""A full history of lines no larger than this is within its bound in bytes without counting."""


STALE = -1


class Topic:
    """`owner` is the app that published on it first.

    `noted_seq` is `seq` when it was last noted who reads it.
    `targets` is right while `generation` is the broker's; `seq` is the last message's.

    Each message of a persisted topic goes to the log too, of a `sensitive` one encrypted; while
    the last of those could not be, it is `in_memory`. The byte strings are what every
    message of the topic has in common, encoded once.
    """

    __slots__ = (
        "correlation_member",
        "epoch",
        "generation",
        "has_large",
        "history",
        "id_member",
        "in_memory",
        "name",
        "noted_seq",
        "opening",
        "owner",
        "persisted",
        "sensitive",
        "seq",
        "targets",
        "timestamp",
    )

    def __init__(
        self,
        name: str,
        epoch: str,
        number: int,
        *,
        seq: int = 0,
        persisted: bool = False,
        owner: str = "",
    ) -> None:
        self.name = name
        self.owner = owner
        self.persisted = persisted
        self.sensitive = self.in_memory = False
        self.epoch = epoch
        self.seq = self.noted_seq = seq
        self.timestamp = 0
        self.targets: tuple[Reader, ...] = ()
        self.generation = STALE
        # A list, for an empty deque takes ten times its memory; a hundred items move in no time.
        self.history: list[bytes] = []
        self.has_large = False
        prefix = b'"%b.%d.' % (epoch.encode(), number)
        self.opening = line.TOPIC + encode(name) + line.SENDER
        self.id_member = line.ID + prefix
        self.correlation_member = b'"' + line.CORRELATION + prefix

    @property
    def last_id(self) -> bytes:
        """The id of the last message, as it is in the line."""
        return self.id_member[len(line.ID) + 1 :] + b"%d" % self.seq

    def trim_history(self) -> int:
        """Drops the oldest messages beyond the bounds; returns how many bytes that freed."""
        history = self.history
        freed = 0
        if len(history) > HISTORY_MESSAGES:
            freed = sum(map(len, history[:-HISTORY_MESSAGES]))
            del history[:-HISTORY_MESSAGES]
        if self.has_large:
            size = sum(map(len, history))
            while size > HISTORY_BYTES:
                size -= len(history[0])
                freed += len(history.pop(0))
            self.has_large = max(map(len, history), default=0) > LARGE_BYTES
        return freed

    def result(self) -> bytes:
        """The last message as a `PublishResult`."""
        return b'{"id":"%b","epoch":"%b","seq":%d,"timestamp":%d,"receivers":%d%b}' % (
            self.last_id,
            self.epoch.encode(),
            self.seq,
            self.timestamp,
            len(self.targets),
            b',"inMemory":true' if self.in_memory else b"",
        )


class Outlet(Protocol):
    """Where a client's lines go; it may drop a message of a topic, and tells when it does."""

    def put(self, line: bytes, topic: str | None, seq: int) -> None: ...


class Rank(IntEnum):
    """The reader of a client that gets a message which several of its subscriptions match."""

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
    """`writable` holds the topics that this client may write to, as far as it has tried.

    `names` are the members of its identity as JSON.
    """

    __slots__ = ("identity", "names", "signature", "subscriptions", "writable")

    def __init__(self, identity: ClientId, epoch: str) -> None:
        self.identity = identity
        signed = encode(identity)
        self.names = signed[1:-1]
        self.signature = signed + line.EPOCH + encode(epoch) + line.SEQ
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
