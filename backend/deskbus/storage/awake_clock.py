"""Time that this process was awake: not stopped, nor asleep with its machine.

A deadline that passed while it stood still says nothing about others: what they sent lies unread.
So deadlines of others count by this clock, and whoever judges by one reads first.
"""

import time
from collections.abc import Callable

import anyio
import anyio.lowlevel

BEAT_S = 0.25
STOOD_STILL_S = 1.0
"""A beat that is this much too late means that the process, or the machine, stood still."""

READING_TURNS = 3
"""Turns of the event loop after which what had arrived has been read, whichever loop it is."""


class AwakeClock:
    """Monotonic seconds; while `run` beats, without those in which the process stood still."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._stood_s = 0.0
        self._seen_s: float | None = None

    def __call__(self) -> float:
        now_s = self._monotonic_s()
        if self._seen_s is not None:
            late_s = now_s - self._seen_s - BEAT_S
            if late_s >= STOOD_STILL_S:
                self._stood_s += late_s
            self._seen_s = now_s
        return now_s - self._stood_s

    async def run(self) -> None:
        """Beats until cancelled."""
        self._seen_s = self._monotonic_s()
        try:
            while True:
                await anyio.sleep(BEAT_S)
                self()
        finally:
            self._seen_s = None


awake_s = AwakeClock()
"""Of this process; beside `run`, to be called on the event loop."""


async def tick_every(period_s: float, tick: Callable[[], None]) -> None:
    """Calls `tick` until cancelled, and never before what arrived while it stood still was read."""
    while True:
        before_s = time.monotonic()
        await anyio.sleep(period_s)
        if time.monotonic() - before_s >= period_s + STOOD_STILL_S:
            await anyio.sleep(STOOD_STILL_S)
        tick()


async def happens_within(
    event: anyio.Event, within_s: float, clock: Callable[[], float] = awake_s
) -> bool:
    """Waits for `event`, for so many seconds awake; what has arrived by then is read first."""
    due_s = clock() + within_s
    while True:
        with anyio.move_on_after(max(due_s - clock(), 0.0)):
            await event.wait()
            return True
        for _ in range(READING_TURNS):
            await anyio.lowlevel.checkpoint()
        if event.is_set():
            return True
        if clock() >= due_s:
            return False
