"""CallsInProgress: calls that are not answered yet, bounded for each link and for each app."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from deskbus_protocol.errors import INVALID_REQUEST, OVERLOADED, DeskbusError

MAX_IN_FLIGHT = 256
MAX_PENDING = 1_024
MAX_PENDING_BYTES = 32 * 1024 * 1024
"""Calls that an app waits for on all of its links, and what they hold."""


class PendingAnswers:
    """The calls in progress of everybody who shares it."""

    def __init__(self) -> None:
        self.calls = 0
        self.bytes = 0

    def has_room(self, size: int) -> bool:
        return self.calls < MAX_PENDING and (
            not self.calls or self.bytes + size <= MAX_PENDING_BYTES
        )

    def add(self, calls: int, size: int) -> None:
        self.calls += calls
        self.bytes += size


class Cancellable(Protocol):
    """A call that can be cancelled; it is answered then, and ends."""

    def cancel(self) -> None: ...


class CallsInProgress:
    """The calls of one link, by id. `pending` is shared by all links of an app."""

    def __init__(self) -> None:
        self.pending = PendingAnswers()
        self._open: dict[bytes, Cancellable] = {}
        self._serial = 0

    def refusal(self, request_id: bytes, size: int) -> DeskbusError | None:
        """The reason for which one more call, of so many bytes, can't begin."""
        if len(self._open) >= MAX_IN_FLIGHT or not self.pending.has_room(size):
            return DeskbusError(OVERLOADED)
        if request_id and request_id in self._open:
            return DeskbusError(INVALID_REQUEST, "A request with this id is in flight.")
        return None

    def add(self, request_id: bytes, size: int, call: Cancellable) -> Callable[[], None]:
        """Takes in a call that is not refused; returns what is to be called at its end."""
        if not request_id:
            self._serial += 1
        key = request_id or b"#%d" % self._serial
        self._open[key] = call
        self.pending.add(1, size)
        return partial(self._ended, key, self.pending, size)

    def cancel(self, request_id: bytes) -> None:
        """Cancels a call; one that is not in progress has its answer already."""
        if call := self._open.get(request_id):
            call.cancel()

    def all(self) -> list[Cancellable]:
        return list(self._open.values())

    def _ended(self, key: bytes, pending: PendingAnswers, size: int) -> None:
        pending.add(-1, -size)
        del self._open[key]
