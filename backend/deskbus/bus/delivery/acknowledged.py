"""Acknowledged delivery: at least once, in order, until the client says that it has a message."""

from collections import deque
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol

import anyio
import msgspec

from deskbus.bus.delivery.displacement import Displacement
from deskbus.bus.encoded_message import as_redelivery, stamps
from deskbus.reliability.fair_queue import Later, at_once
from deskbus.storage.clocks import ClockMs
from deskbus_protocol.errors import CONNECTION_LOST, DeskbusError
from deskbus_protocol.history import DeadLetterReason

MAX_IN_FLIGHT = 1000
MAX_IN_FLIGHT_BYTES = 8 * 1024 * 1024
"""Sent and not yet acknowledged; what comes after waits its turn."""

MAX_WAITING = 10_000
MAX_WAITING_BYTES = 16 * 1024 * 1024
SENT_AT_ONCE = 128
"""Messages that are sent in one turn of the loop where many are due, which takes about 1 ms."""

RETRY_AFTER_MS = (1000, 2000, 4000)
"""A message is sent again after each of these; then it is dead."""


class BoundedOutlet(Protocol):
    @property
    def slow(self) -> bool: ...

    def put(self, line: bytes, topic: str | None, seq: int) -> None: ...


class PendingMessage(msgspec.Struct, gc=False, eq=False):
    """One message that a client has not acknowledged. `due` is when it is sent again, awake ms.

    `epoch` is empty for one of this run of the backend, `timestamp` and `expires_at` are Unix ms.
    """

    line: bytes
    topic: str
    seq: int
    epoch: str
    timestamp: int
    expires_at: int | None
    attempts: int = 0
    due: int = 0

    @classmethod
    def read(cls, line: bytes, topic: str, seq: int, epoch: str = "") -> "PendingMessage":
        """The message of a line."""
        found = stamps(line)
        return cls(line, topic, seq, epoch, found.timestamp, found.expires_at)


Died = Callable[[PendingMessage, DeadLetterReason], None]


class _Due(NamedTuple):
    """A message in flight that is to be sent again, or is dead for a `reason`.

    A `repeat` after a reconnect says that it is one, but counts as no further attempt.
    """

    pending: PendingMessage
    reason: DeadLetterReason | None = None
    repeat: bool = False


def _anything(topic: str) -> bool:
    return True


class AcknowledgedOutlet(Displacement):
    """Stands between the broker and one client for its acknowledged subscriptions.

    Per topic the oldest unacknowledged message goes first: when one is sent again, so is what was
    sent after it on that topic, in order. While the client is away everything waits. Where many
    are to be sent, a part of them is sent at once, and the rest by `later`; what comes meanwhile
    waits behind them.
    """

    def __init__(
        self,
        clock_ms: ClockMs,
        awake_ms: ClockMs,
        on_dead: Died,
        jitter_ms: Callable[[], int] = lambda: 0,
        later: Later = at_once,
    ) -> None:
        """Messages expire by `clock_ms` (Unix ms) and are sent again by `awake_ms`.

        `jitter_ms` is added to each wait, so that many clients don't retry as one.
        """
        super().__init__(later)
        self._clock_ms = clock_ms
        self._awake_ms = awake_ms
        self._jitter_ms = jitter_ms
        self._on_dead = on_dead
        self._outlet: BoundedOutlet | None = None
        self._in_flight: dict[tuple[str, int], PendingMessage] = {}
        self._in_flight_bytes = 0
        self._waiting: deque[PendingMessage] = deque()
        self._waiting_bytes = 0
        self._changed: anyio.Event | None = None
        self._due: dict[tuple[str, int], _Due] = {}
        self._goes_on = False
        self._may_read: Callable[[str], bool] = _anything

    def __len__(self) -> int:
        return len(self._in_flight) + len(self._waiting)

    @property
    def sends_at_once(self) -> bool:
        """Whether the client is there, and has acknowledged enough to be sent more."""
        return self._outlet is not None and not self._is_behind

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        if topic is None:
            return
        self._take(PendingMessage.read(line, topic, seq))

    def put_owed(self, line: bytes, topic: str, seq: int, epoch: str, *, again: bool) -> None:
        """Takes a message out of the log: of an earlier run, or of this one where `epoch` is empty.

        `again` says that the client has had it before.
        """
        pending = PendingMessage.read(line, topic, seq, epoch)
        pending.attempts = int(again)
        if pending.expires_at is not None and pending.expires_at <= self._clock_ms():
            self._on_dead(pending, "expired")
        else:
            self._take(pending)

    async def room(self) -> None:
        """Returns when what is put here can be sent at once.

        Raises `DeskbusError` (connection_lost) if the client leaves meanwhile.
        """
        outlet = self._outlet
        while outlet is not None and (self._is_behind or not self._has_room()):
            if self._changed is None:
                self._changed = anyio.Event()
            await self._changed.wait()
            if self._outlet is not outlet:
                break
        if outlet is None or self._outlet is not outlet:
            raise DeskbusError(CONNECTION_LOST)

    def holds(self, topic: str, seq: int) -> bool:
        """Whether the client has been sent this message, and is waited for."""
        return (topic, seq) in self._in_flight

    def _take(self, pending: PendingMessage) -> None:
        if self._outlet is not None and not self._is_behind and self._has_room():
            self._send(pending)
            return
        self._waiting.append(pending)
        self._waiting_bytes += len(pending.line)
        if not self._has_room_by_displacement():
            newest = self._waiting.pop()
            self._waiting_bytes -= len(newest.line)
            self._on_dead(newest, "overflow")

    def connect(self, outlet: BoundedOutlet, may_read: Callable[[str], bool] = _anything) -> None:
        """Sends again what a connected client may have missed, then what waits.

        Of both it sends only what the client `may_read` when its turn comes.
        """
        self._outlet = outlet
        self._may_read = may_read
        self.send_again(lambda _: True)

    def send_again(self, wanted: Callable[[str], bool]) -> None:
        """Sends again what was sent on the topics that `wanted` names."""
        due = self._due
        self._due = {
            key: due.get(key) or _Due(pending, repeat=True)
            for key, pending in self._in_flight.items()
            if key in due or wanted(pending.topic)
        }
        self._fill()

    def disconnect(self) -> None:
        """Stops redelivery while the client is away, which counts as no failed attempt."""
        self._outlet = None
        self._may_read = _anything
        self._due.clear()
        self._tell_changed()

    def acknowledge(self, topic: str, seqs: list[int], epoch: str = "") -> int:
        """Takes messages off the list; returns how many were on it.

        They are of the run `epoch`, or of this one where that is empty.
        """
        found = {seq: self._in_flight.get((topic, seq)) for seq in seqs}
        known = [seq for seq, pending in found.items() if pending and pending.epoch == epoch]
        for seq in known:
            self._complete(topic, seq)
        self._fill()
        return len(known)

    def tick(self) -> None:
        """Sends again what is due; buries what has expired or was sent often enough."""
        if self._outlet is None or self._outlet.slow:
            # Messages that were not read yet need not come again.
            return
        if self._due:
            # The messages of the last time are under way still.
            return
        now_ms, awake_ms = self._clock_ms(), self._awake_ms()
        again: set[str] = set()
        for key, pending in self._in_flight.items():
            if pending.expires_at is not None and pending.expires_at <= now_ms:
                self._due[key] = _Due(pending, "expired")
            elif pending.due <= awake_ms and pending.attempts > len(RETRY_AFTER_MS):
                self._due[key] = _Due(pending, "retries_spent")
            elif pending.due <= awake_ms or pending.topic in again:
                again.add(pending.topic)
                self._due[key] = _Due(pending)
        self._fill()

    def revoke(self, may_read: Callable[[str], bool]) -> None:
        """Drops what the client may no longer read."""
        may_read = cache(may_read)
        for key, pending in list(self._in_flight.items()):
            if not may_read(pending.topic):
                self._dead_letter(key, pending, "revoked")
        kept = []
        for pending in self._waiting:
            if may_read(pending.topic):
                kept.append(pending)
            else:
                self._on_dead(pending, "revoked")
        self._keep(kept)

    def first_seqs(self) -> dict[str, int]:
        """The lowest unacknowledged seq of each topic."""
        first: dict[str, int] = {}
        for pending in (*self._in_flight.values(), *self._waiting):
            first[pending.topic] = min(pending.seq, first.get(pending.topic, pending.seq))
        return first

    def all_seqs(self) -> set[tuple[str, int]]:
        """Topic and seq of everything that is not acknowledged."""
        return {
            (pending.topic, pending.seq) for pending in (*self._in_flight.values(), *self._waiting)
        }

    def release(self, wanted: Callable[[PendingMessage], bool]) -> None:
        """Takes messages out that come in another way."""
        for key, pending in list(self._in_flight.items()):
            if wanted(pending):
                self._complete(*key)
        self._keep([pending for pending in self._waiting if not wanted(pending)])

    def take_all(self) -> list[PendingMessage]:
        """Everything that is not acknowledged, in order; nothing is left."""
        everything = [*self._in_flight.values(), *self._waiting]
        self._in_flight.clear()
        self._due.clear()
        self._in_flight_bytes = 0
        self._waiting.clear()
        self._waiting_bytes = 0
        return everything

    def _keep(self, waiting: list[PendingMessage]) -> None:
        self._waiting = deque(waiting)
        self._waiting_bytes = sum(len(pending.line) for pending in waiting)

    def _has_room(self) -> bool:
        return len(self._in_flight) < MAX_IN_FLIGHT and self._in_flight_bytes < MAX_IN_FLIGHT_BYTES

    @property
    def _is_behind(self) -> bool:
        """Whether something is to be sent before what comes."""
        return bool(self._waiting or self._due)

    def _fill(self) -> None:
        if not self._goes_on and self._is_behind and self._send_some():
            self._goes_on = True
            self._later(self._go_on)

    def _go_on(self) -> bool:
        self._goes_on = self._send_some()
        if not self._goes_on:
            self._tell_changed()
        return self._goes_on

    def _send_some(self) -> bool:
        """Sends a part of what is to be sent; whether more can be sent now."""
        now_ms = self._clock_ms()
        for _ in range(SENT_AT_ONCE):
            if self._outlet is None:
                return False
            if self._due:
                self._send_due(next(iter(self._due)), now_ms)
            elif self._waiting and self._has_room():
                self._send_waiting(self._next_waiting(), now_ms)
            else:
                return False
        return self._outlet is not None and bool(self._due or (self._waiting and self._has_room()))

    def _send_due(self, key: tuple[str, int], now_ms: int) -> None:
        pending, reason, repeat = self._due.pop(key)
        if reason is None:
            reason = self._reason_against(pending, now_ms)
        if reason is None:
            self._send(pending, repeat=repeat)
        else:
            self._dead_letter(key, pending, reason)

    def _send_waiting(self, pending: PendingMessage, now_ms: int) -> None:
        reason = self._reason_against(pending, now_ms)
        if reason is None:
            self._send(pending)
        else:
            self._on_dead(pending, reason)

    def _reason_against(self, pending: PendingMessage, now_ms: int) -> DeadLetterReason | None:
        if pending.expires_at is not None and pending.expires_at <= now_ms:
            return "expired"
        return None if self._may_read(pending.topic) else "revoked"

    @property
    def _is_over(self) -> bool:
        return len(self._waiting) > MAX_WAITING or self._waiting_bytes > MAX_WAITING_BYTES

    def _lose_oldest(self) -> None:
        self._on_dead(self._next_waiting(), "overflow")

    def _next_waiting(self) -> PendingMessage:
        pending = self._waiting.popleft()
        self._waiting_bytes -= len(pending.line)
        return pending

    def _send(self, pending: PendingMessage, *, repeat: bool = False) -> None:
        if self._outlet is None:
            return
        again = pending.attempts
        line = as_redelivery(pending.line, again) if again else pending.line
        if not repeat or not again:
            pending.attempts += 1
        wait_ms = RETRY_AFTER_MS[min(again, len(RETRY_AFTER_MS) - 1)]
        pending.due = self._awake_ms() + wait_ms + self._jitter_ms()
        if (pending.topic, pending.seq) not in self._in_flight:
            self._in_flight[pending.topic, pending.seq] = pending
            self._in_flight_bytes += len(pending.line)
        self._outlet.put(line, None, pending.seq)

    def _dead_letter(
        self, key: tuple[str, int], pending: PendingMessage, reason: DeadLetterReason
    ) -> None:
        self._complete(*key)
        self._on_dead(pending, reason)

    def _complete(self, topic: str, seq: int) -> None:
        self._in_flight_bytes -= len(self._in_flight.pop((topic, seq)).line)
        self._due.pop((topic, seq), None)
        self._tell_changed()

    def _tell_changed(self) -> None:
        """Wakes who waits for room."""
        if self._changed is not None:
            self._changed.set()
            self._changed = None
