"""What the broker keeps of one topic: its count, who reads it, the last messages."""

from collections import deque
from typing import TYPE_CHECKING

from deskbus_protocol.rpc import encode

if TYPE_CHECKING:
    from deskbus.bus.client import BusClient

HISTORY_MESSAGES = 100
HISTORY_BYTES = 256 * 1024
STALE = -1


class Topic:
    """`targets` is right while `generation` is the broker's; `seq` is the last message's."""

    __slots__ = (
        "epoch",
        "generation",
        "history",
        "history_bytes",
        "id_prefix",
        "name",
        "seq",
        "targets",
        "timestamp",
    )

    def __init__(self, name: str, epoch: str, number: int, seq: int = 0) -> None:
        self.name = name
        self.epoch = epoch
        self.seq = seq
        self.id_prefix = b"%b.%d." % (epoch.encode(), number)
        self.timestamp = 0
        self.targets: tuple[BusClient, ...] = ()
        self.generation = STALE
        self.history: deque[bytes] = deque()
        self.history_bytes = 0

    @property
    def last_id(self) -> str:
        return (self.id_prefix + b"%d" % self.seq).decode()

    def remember(self, line: bytes) -> None:
        """Keeps the last messages, bounded in number and in bytes."""
        history = self.history
        history.append(line)
        size = self.history_bytes + len(line)
        while len(history) > HISTORY_MESSAGES or size > HISTORY_BYTES:
            size -= len(history.popleft())
        self.history_bytes = size

    def result(self) -> bytes:
        """The last message as a `PublishResult`."""
        return b'{"id":"%b%d","epoch":%b,"seq":%d,"timestamp":%d,"receivers":%d}' % (
            self.id_prefix,
            self.seq,
            encode(self.epoch),
            self.seq,
            self.timestamp,
            len(self.targets),
        )
