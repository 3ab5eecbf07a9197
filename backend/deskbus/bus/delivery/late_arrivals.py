"""LateArrivals: puts messages into the queues of absent clients a little later, piece by piece."""

from typing import Protocol

from deskbus.reliability.fair_queue import Later, Piece
from deskbus.reliability.work_clock import work_s

AT_ONCE = 32
"""Messages that are put into queues at once in a turn of the loop, which costs others some tenths
of a millisecond at most.
"""

MAX_MESSAGES = 20_000
MAX_BYTES = 64 * 1024 * 1024
"""Of messages that are put off; beyond, two are taken in for one that comes."""

PUT_S = 0.00001
"""The cost of putting one into a queue that loses another by it, with its dead letter and gap."""


class LateQueue(Protocol):
    def take_in(self) -> bool:
        """Takes in one message that was put off; whether there are more."""


class LateArrivals:
    """One publish may reach hundreds of absent clients, each of whose queues loses a message by it.

    Work that is put off counts for the turn of the publisher (`work_s`), so its amount is bounded
    by the work that one app may do.
    """

    def __init__(self, later: Later) -> None:
        """`later` needs a running event loop; where there is none, nothing is put off."""
        self._later = later
        self._queues: dict[LateQueue, None] = {}
        self._is_due = False
        self._this_turn = 0
        self.messages = 0
        self.bytes = 0

    def put_off(self, queue: LateQueue, size: int) -> bool:
        """Whether a message of `size` bytes for `queue` is to be put off.

        The queue is then asked to take it in, and tells by `taken` that it has.
        """
        if not self._is_due and not self._begin():
            return False
        self._this_turn += 1
        if self._this_turn <= AT_ONCE and queue not in self._queues:
            return False
        if self.messages >= MAX_MESSAGES or self.bytes + size > MAX_BYTES:
            return False
        self._queues[queue] = None
        self.messages += 1
        self.bytes += size
        work_s.put_off(PUT_S)
        return True

    def taken(self, size: int) -> None:
        self.messages -= 1
        self.bytes -= size

    def _begin(self) -> bool:
        try:
            self._later(self._go_on)
        except RuntimeError:
            # No event loop is running.
            return False
        self._is_due = True
        return True

    def _go_on(self) -> bool:
        self._this_turn = 0
        piece = Piece()
        while self._queues:
            queue = next(iter(self._queues))
            if not queue.take_in():
                del self._queues[queue]
            if piece.is_over:
                break
        self._is_due = bool(self._queues)
        return self._is_due
