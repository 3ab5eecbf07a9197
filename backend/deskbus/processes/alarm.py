"""Rings at a moment that may be moved: one timer, not a poll."""

import asyncio
import time
from collections.abc import Callable


class Alarm:
    """`ring` may be early by the loop's rounding; whoever is rung for looks at the time."""

    def __init__(
        self, ring: Callable[[], None], monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._ring = ring
        self._monotonic_s = monotonic_s
        self._timer: asyncio.TimerHandle | None = None

    def set(self, due_at: float | None) -> None:
        """Rings at `due_at`, monotonic seconds, and at no other moment; None is never."""
        self.stop()
        if due_at is not None:
            delay_s = max(0.0, due_at - self._monotonic_s())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._fire)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._ring()
