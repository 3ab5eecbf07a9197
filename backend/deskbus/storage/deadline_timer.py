"""DeadlineTimer: calls back at a moment that may be moved: one timer, not a poll."""

import asyncio
from collections.abc import Callable

from deskbus.storage.awake_clock import READING_TURNS, awake_s


class DeadlineTimer:
    """`on_deadline` may be early by the loop's rounding; the callee looks at the time.

    Seconds are those of `clock`: awake ones, unless another is given. Input that had arrived by the
    deadline has been read before the call.
    """

    def __init__(
        self, on_deadline: Callable[[], None], clock: Callable[[], float] = awake_s
    ) -> None:
        self._on_deadline = on_deadline
        self._clock = clock
        self._timer: asyncio.Handle | None = None

    def set(self, due_at: float | None) -> None:
        """Moves the deadline to `due_at`; None means never."""
        self.stop()
        if due_at is not None:
            delay_s = max(0.0, due_at - self._clock())
            self._timer = asyncio.get_running_loop().call_later(
                delay_s, self._read_first, READING_TURNS
            )

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Cancels the timer for good and releases its callback."""
        self.stop()
        self._on_deadline = _nobody

    def _read_first(self, turns: int) -> None:
        if turns:
            self._timer = asyncio.get_running_loop().call_soon(self._read_first, turns - 1)
            return
        self._timer = None
        self._on_deadline()


def _nobody() -> None:
    """The callback of a timer that has ended."""
