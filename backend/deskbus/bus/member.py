"""A client as the bus keeps it: here or away, with what waits for it."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from deskbus.bus.delivery.acknowledged import AcknowledgedOutlet, PendingMessage
from deskbus.bus.delivery.dead_letters import MAX_LETTERS, DeadLetterQueue
from deskbus.bus.delivery.gap_notices import GapNotices
from deskbus.bus.delivery.late_arrivals import LateArrivals
from deskbus.bus.delivery.offline_queue import Loss, OfflineQueue, QueueBudget, Queued
from deskbus.bus.delivery.source_filter import SourceFilter
from deskbus.bus.encoded_message import topic_of
from deskbus.bus.recovery.acknowledged_catchup import AcknowledgedCatchup
from deskbus.bus.route import BusClient, Outlet, Rank, Reader
from deskbus.reliability.fair_queue import Later, Piece, at_once
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.history import DeadLetterReason

MAX_JITTER_MS = 100

_DONE = object()


class Connected(Outlet, Protocol):
    """The outlet of a connected client; it reports the messages that it had to drop."""

    on_dropped: Callable[[str, int], None] | None
    on_drained: Callable[[], None] | None

    @property
    def slow(self) -> bool: ...

    def give_up(self) -> None:
        """Closes the connection at once."""

    def withdraw(self, keeps: Callable[[bytes, str | None], bool]) -> None:
        """Drops lines that wait for a slow reader, unless they are to be kept."""

    def put_block(self, block: bytes) -> None:
        """Sends many lines at once."""

    async def writable(self) -> None:
        """Returns when the client reads fast enough to be sent more."""


class Member:
    """Live messages go out, or into the queue while the client is away.

    `joined_at`, when it last began anew, is Unix ms; `away_since`, in awake ms, is None while the
    client is here. It is `intact` until its live subscriptions were dropped. `owed` is what this
    connection was told to go on with.
    """

    def __init__(
        self,
        identity: ClientId,
        *,
        epoch: str,
        clock_ms: ClockMs,
        awake_ms: ClockMs,
        dead_letters: DeadLetterQueue,
        budget: QueueBudget,
        later: Later = at_once,
        late: LateArrivals | None = None,
    ) -> None:
        self.client = BusClient(identity, epoch)
        self._losses = losses = _Losses(identity, epoch, dead_letters)
        self.queue = OfflineQueue(losses.in_queue, budget, later, late)
        self.window = AcknowledgedOutlet(clock_ms, awake_ms, losses.in_window, _jitter_ms, later)
        self.live = Reader(self.client, Rank.LIVE, self.queue)
        self.sources = SourceFilter(self.live.forward)
        self.filtered = Reader(self.client, Rank.FILTERED, self.sources)
        self.acknowledged = Reader(self.client, Rank.ACKNOWLEDGED, self.window)
        self.connection: Connected | None = None
        self.owed: list[AcknowledgedCatchup] = []
        self.away_since: int | None = awake_ms()
        self.joined_at = clock_ms()
        self.intact = True
        self._clock_ms = clock_ms
        self._awake_ms = awake_ms
        self._return: Iterator[None] = iter(())

    @property
    def identity(self) -> ClientId:
        return self.client.identity

    @property
    def here(self) -> bool:
        return self.connection is not None

    def connect(
        self,
        connection: Connected,
        may_read: Callable[[str], bool],
        missed: Iterable[tuple[bytes, str, int]] = (),
    ) -> None:
        """Delivers everything that waited: first notices of gaps, then the messages `missed` in
        transit, then the queue, then live messages. `go_on` does so piece by piece.

        Messages that the client may no longer read stay behind as dead letters.
        """
        self.connection = connection
        self.owed = []
        self.away_since = None
        self.intact = True
        connection.on_dropped = self.lost_when_slow
        connection.on_drained = self._tell_gaps
        self._return = self._let_out(connection, may_read, missed)
        self.window.connect(connection, may_read)

    def go_on(self) -> bool:
        """Delivers a part of what waited and returns whether there is more; live messages wait
        behind it.
        """
        return next(self._return, _DONE) is not _DONE

    def _let_out(
        self,
        connection: Connected,
        may_read: Callable[[str], bool],
        missed: Iterable[tuple[bytes, str, int]],
    ) -> Iterator[None]:
        while self.queue.sweep_some(self._clock_ms()):
            yield
        self._tell_gaps()
        piece = Piece()
        for line, topic, seq in missed:
            if may_read(topic):
                connection.put(line, topic, seq)
            if piece.is_over:
                yield
                piece.begin()
        while len(self.queue):
            for item in self.queue.in_order():
                if self.queue.take(item):
                    if may_read(item.topic):
                        connection.put(item.line, item.topic, item.seq)
                    else:
                        self._losses.in_queue(item, "revoked")
                if piece.is_over:
                    yield
                    piece.begin()
        self._tell_gaps()
        self.live.lead_to(connection)

    def disconnect(self) -> None:
        """From now on messages wait."""
        if self.connection is not None:
            self.connection.on_dropped = self.connection.on_drained = None
        self.connection = None
        self._return = iter(())
        self.away_since = self._awake_ms()
        self.live.lead_to(self.queue)
        self.window.disconnect()

    def revoke(self, may_read: Callable[[str], bool]) -> None:
        """Drops waiting messages that the client may no longer read."""
        self.window.revoke(may_read)
        self.queue.revoke(may_read)
        if self.connection is not None:

            def keeps(line: bytes, topic: str | None) -> bool:
                of = topic_of(line) if topic is None else topic
                return of is None or may_read(of)

            self.connection.withdraw(keeps)

    def forget_live(self) -> None:
        """Drops the queue of live subscriptions: the client starts afresh."""
        self.intact = False
        self.joined_at = self._clock_ms()
        self._losses.all_of(self.queue.drain(self._clock_ms()), "no_subscriber")
        self._losses.gaps.forget()

    def give_up(self) -> None:
        """Dead-letters all that waits for a client that will not come back."""
        self.forget_live()
        for pending in self.window.take_all():
            self._losses.in_window(pending, "no_subscriber")
        for reader in (self.live, self.filtered, self.acknowledged):
            reader.end()

    def tick(self) -> bool:
        """Does a part of what is due and returns whether there is more."""
        if self.queue.sweep_some(self._clock_ms()):
            return True
        self.window.tick()
        return False

    def _tell_gaps(self) -> None:
        if self.connection is not None:
            for line in self._losses.gaps.take_lines():
                self.connection.put(line, None, 0)

    def lost_on_the_way(self, topic: str, first: int, last: int) -> None:
        """Records messages that were lost with the connection and are no longer kept."""
        self._losses.gaps.add_range(topic, first, last, "disconnected")

    def lost_when_slow(self, topic: str, seq: int) -> None:
        """Records a message that the client read too slowly for, so that it is told of the gap.

        A client that loses more than can be told is disconnected and starts afresh.
        """
        self._losses.gaps.add(topic, seq, "slow_reader")
        if self._losses.gaps.overflowed and self.connection is not None:
            self.intact = False
            self.connection.give_up()


class _Losses:
    """Losses that a client is still to be told of. It has no reference to the member, nor have the
    member's other parts, so a member that has ended is freed at once, without the garbage
    collector.
    """

    def __init__(self, identity: ClientId, epoch: str, dead_letters: DeadLetterQueue) -> None:
        self.gaps = GapNotices(epoch)
        self._identity = identity
        self._dead_letters = dead_letters

    def in_queue(self, item: Queued, reason: Loss) -> None:
        self.gaps.add(item.topic, item.seq, reason)
        self.dead_letter(item.line, item.topic, item.seq, reason)

    def in_window(self, pending: PendingMessage, reason: DeadLetterReason) -> None:
        self.dead_letter(pending.line, pending.topic, pending.seq, reason, pending.attempts)

    def all_of(self, items: Sequence[Queued], reason: DeadLetterReason) -> None:
        """Keeps the newest of many, and counts the others."""
        first = max(len(items) - MAX_LETTERS, 0)
        self._dead_letters.count(reason, first)
        for item in items[first:]:
            self.dead_letter(item.line, item.topic, item.seq, reason)

    def dead_letter(
        self, line: bytes, topic: str, seq: int, reason: DeadLetterReason, attempts: int = 0
    ) -> None:
        self._dead_letters.add(reason, self._identity, line, topic, seq, attempts)


def _jitter_ms() -> int:
    return random.randrange(MAX_JITTER_MS)  # noqa: S311 - spreads load, keeps no secret
