"""The two ways in which a run of the backend tells time; neither follows a wall clock that steps.

`SteadyClock` counts real time, also while the machine sleeps: by it messages are stamped, and
grants and messages with a ttl end, for what is stale in the world is stale. `awake_ms` stands still
while the machine sleeps: by it clients are waited for, since nobody can come back or answer then.
"""

import sys
import time
from collections.abc import Callable

ClockMs = Callable[[], int]


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def running_ms() -> int:
    """Since some moment in the past; counts while the machine sleeps, where the system tells."""
    if sys.platform == "linux":
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    else:
        return time.monotonic_ns() // 1_000_000


def awake_ms() -> int:
    """Since some moment in the past; where the system can tell, sleep does not count."""
    return time.monotonic_ns() // 1_000_000


class SteadyClock:
    """Unix milliseconds that go forward with time itself, whatever is done to the wall clock.

    The wall clock is read once, at the start of a run; from there on a monotonic clock counts. It
    never goes back behind `not_before` (the last time that an earlier run has seen). A wall clock
    that is set forward while the backend does not run can't be told from time that went by.
    """

    def __init__(self, wall: ClockMs = wall_ms, running: ClockMs = running_ms) -> None:
        self._running = running
        self._offset_ms = wall() - running()

    def __call__(self) -> int:
        return self._running() + self._offset_ms

    def not_before(self, seen_ms: int) -> None:
        behind = seen_ms - self()
        if behind > 0:
            self._offset_ms += behind
