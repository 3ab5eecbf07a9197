"""Runs Python's full garbage collection when nobody waits for the loop."""

import gc
import time
from collections.abc import Callable

import anyio

LOOK_EVERY_S = 1.0
IDLE_EVERY_S = 30.0
BUSY_EVERY_S = 600.0
"""How often everything is looked through: when nothing was read for a second, and at the latest.

Messages and sessions make no cycles, so this is for what a library leaves behind.
"""


class GarbageCollection:
    """`activity` counts what the backend does; it is idle while that stands still."""

    def __init__(
        self,
        activity: Callable[[], int],
        *,
        collect: Callable[[], object] = gc.collect,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._activity = activity
        self._collect = collect
        self._monotonic_s = monotonic_s
        self._before = activity()
        self._last_at = monotonic_s()

    async def run(self) -> None:
        while True:
            await anyio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Collects where it is due."""
        activity, now_s = self._activity(), self._monotonic_s()
        every_s = IDLE_EVERY_S if activity == self._before else BUSY_EVERY_S
        self._before = activity
        if now_s - self._last_at >= every_s:
            self._last_at = now_s
            self._collect()
