"""What the broker keeps of one topic: its count, who reads it, the last messages."""

from typing import TYPE_CHECKING

from deskbus_protocol import line
from deskbus_protocol.rpc import encode

if TYPE_CHECKING:
    from deskbus.bus.client import Reader

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
