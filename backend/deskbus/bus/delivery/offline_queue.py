"""OfflineQueue: messages that wait for a client that is not connected."""

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Literal

import msgspec

from deskbus.bus.delivery.displacement import Displacement
from deskbus.bus.delivery.late_arrivals import LateArrivals
from deskbus.bus.encoded_message import stamps
from deskbus.reliability.fair_queue import Later, at_once

MAX_MESSAGES = 10_000
MAX_BYTES = 16 * 1024 * 1024
LEVELS = 10

SWEPT_AT_ONCE = 256
"""Expired messages that are taken out in one turn of the loop, in less than 1 ms."""

APP_MESSAGES = 20_000
APP_BYTES = 32 * 1024 * 1024
"""Total size of the queues of one app's clients."""

Loss = Literal["overflow", "expired", "too_large", "revoked"]
"""Why a message left the queue undelivered; each is told as a gap and as a dead letter."""

Lost = Callable[["Queued", Loss], None]
"""Is told of each message that leaves the queue undelivered."""


class Queued(msgspec.Struct, frozen=True, order=True, gc=False):
    """A waiting message; `number` is its place in the order of arrival.

    Like all that exists once a message, it is no work for the garbage collector.
    """

    number: int
    line: bytes
    topic: str
    seq: int
    sender: bytes
    priority: int


class QueueBudget:
    """The messages that wait for the absent clients of one app."""

    def __init__(self) -> None:
        self.messages = 0
        self.bytes = 0

    @property
    def overdrawn(self) -> bool:
        return self.messages > APP_MESSAGES or self.bytes > APP_BYTES

    def add(self, messages: int, size: int) -> None:
        self.messages += messages
        self.bytes += size


class OfflineQueue(Displacement):
    """Bounded in messages and bytes; the lowest priority gives way first, its oldest first.

    Higher priority leaves first, but never past an earlier message of the same sender on the same
    topic: that one then leaves earlier too. Where the budget of the app is spent, a queue that is
    to take one more gives one of its own. Messages that `late` puts off
    are taken in before anything else is done with the queue.
    """

    def __init__(
        self,
        on_lost: Lost,
        budget: QueueBudget | None = None,
        later: Later = at_once,
        late: LateArrivals | None = None,
    ) -> None:
        super().__init__(later)
        self._on_lost = on_lost
        self._late = late
        self._arrived: deque[tuple[bytes, str, int]] = deque()
        self._budget = budget or QueueBudget()
        self._levels: list[OrderedDict[int, Queued]] = [OrderedDict() for _ in range(LEVELS)]
        self._expiring: list[tuple[int, int, int]] = []
        self._count = 0
        self._numbers = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self._count + len(self._arrived)

    @property
    def full(self) -> bool:
        """Whether the queue is at its bound, so that the next message displaces another."""
        budget = self._budget
        return (
            self._count >= MAX_MESSAGES
            or self.bytes >= MAX_BYTES
            or budget.messages >= APP_MESSAGES
            or budget.bytes >= APP_BYTES
        )

    @property
    def oldest_ms(self) -> int | None:
        """The time at which the oldest waiting message was published, Unix ms; None while it is
        empty.
        """
        firsts = [next(iter(level.values())) for level in self._levels if level]
        return min((stamps(item.line).timestamp for item in firsts), default=None)

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        """Keeps a message of `topic`; other frames are of no use to a client that isn't there."""
        if topic is None:
            return
        if self._late is not None and self._late.put_off(self, len(line)):
            self._arrived.append((line, topic, seq))
        elif self._arrived:
            self._take_in_for_one(line, topic, seq)
        else:
            self._keep(line, topic, seq)

    def take_in(self) -> bool:
        """Takes in one message that was put off; whether there are more."""
        if self._late is None or not self._arrived:
            return False
        line, topic, seq = self._arrived.popleft()
        self._late.taken(len(line))
        self._keep(line, topic, seq)
        return bool(self._arrived)

    def _take_in_for_one(self, line: bytes, topic: str, seq: int) -> None:
        """As much is put off as may be: for one message that comes, two are taken in."""
        self.take_in()
        if not self.take_in():
            self._keep(line, topic, seq)
        elif self._late is not None and self._late.put_off(self, len(line)):
            self._arrived.append((line, topic, seq))
        else:
            self._numbers += 1
            self._on_lost(Queued(self._numbers, line, topic, seq, b"", 0), "overflow")

    def _keep(self, line: bytes, topic: str, seq: int) -> None:
        read = stamps(line)
        self._numbers += 1
        item = Queued(self._numbers, line, topic, seq, read.sender, read.priority)
        if len(line) > MAX_BYTES:
            self._on_lost(item, "too_large")
            return
        self._levels[read.priority][item.number] = item
        self._grow(1, len(line))
        if read.expires_at is not None:
            heapq.heappush(self._expiring, (read.expires_at, item.number, read.priority))
            if len(self._expiring) > 2 * MAX_MESSAGES:
                self._forget_departed()
        if not self._has_room_by_displacement() and item.number in self._levels[item.priority]:
            self._lose(self._levels[item.priority], item.number, "overflow")

    def first_seqs(self) -> dict[str, int]:
        """The lowest waiting seq of each topic."""
        self._take_all_in()
        first: dict[str, int] = {}
        for level in self._levels:
            for item in level.values():
                first[item.topic] = min(item.seq, first.get(item.topic, item.seq))
        return first

    def sweep(self, now_ms: int) -> None:
        """Removes expired messages, without a look at any other."""
        while self.sweep_some(now_ms):
            pass

    def sweep_some(self, now_ms: int) -> bool:
        """Removes some of the expired messages; returns whether there are more."""
        for _ in range(SWEPT_AT_ONCE):
            if self._arrived:
                self.take_in()
                continue
            if not self._expiring or self._expiring[0][0] > now_ms:
                return False
            _, number, priority = heapq.heappop(self._expiring)
            if number in self._levels[priority]:
                self._lose(self._levels[priority], number, "expired")
        return True

    def revoke(self, may_read: Callable[[str], bool]) -> None:
        """Drops messages that the client may no longer read."""
        self._take_all_in()
        for level in self._levels:
            for number in [n for n, item in level.items() if not may_read(item.topic)]:
                self._lose(level, number, "revoked")

    def in_order(self) -> list[Queued]:
        """The waiting messages in the order of delivery."""
        self._take_all_in()
        levels = [level for level in self._levels if level]
        if len(levels) == 1:
            return list(levels[0].values())
        return in_order_of_delivery(sorted(item for level in levels for item in level.values()))

    def take(self, item: Queued) -> bool:
        """Takes a message out, unless it has left already."""
        if self._levels[item.priority].pop(item.number, None) is None:
            return False
        self._grow(-1, -len(item.line))
        return True

    def drain(self, now_ms: int) -> list[Queued]:
        """Empties the queue and returns its messages in the order of delivery."""
        self.sweep(now_ms)
        waiting = self.in_order()
        for level in self._levels:
            level.clear()
        self._expiring.clear()
        self._grow(-self._count, -self.bytes)
        return waiting

    def _take_all_in(self) -> None:
        while self._arrived:
            self.take_in()

    def _forget_departed(self) -> None:
        """Removes heap entries whose messages have left the queue early."""
        self._expiring = [entry for entry in self._expiring if entry[1] in self._levels[entry[2]]]
        heapq.heapify(self._expiring)

    @property
    def _is_over(self) -> bool:
        return bool(self._count) and (
            self._count > MAX_MESSAGES or self.bytes > MAX_BYTES or self._budget.overdrawn
        )

    def _lose_oldest(self) -> None:
        level = next(level for level in self._levels if level)
        self._lose(level, next(iter(level)), "overflow")

    def _grow(self, messages: int, size: int) -> None:
        self._count += messages
        self.bytes += size
        self._budget.add(messages, size)

    def _lose(self, level: OrderedDict[int, Queued], number: int, reason: Loss) -> None:
        item = level.pop(number)
        self._grow(-1, -len(item.line))
        self._on_lost(item, reason)


def in_order_of_delivery(waiting: list[Queued]) -> list[Queued]:
    """Sorts messages that are in order of arrival by priority, stream by stream.

    A stream is one sender on one topic. An earlier message of a stream is worth as much as the
    best that comes after it, so a stable sort keeps every stream in order.
    """
    worth: dict[tuple[bytes, str], int] = {}
    ranked = []
    for item in reversed(waiting):
        stream = (item.sender, item.topic)
        worth[stream] = max(item.priority, worth.get(stream, 0))
        ranked.append((-worth[stream], item.number, item))
    return [item for _, _, item in sorted(ranked)]
