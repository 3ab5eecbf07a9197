"""Finds out that a peer has gone silent, at its deadline and not a poll later."""

import asyncio
from collections.abc import Callable

from deskbus.transport.link import Link

INTERVAL_S = 10.0
"""A peer that was silent this long is asked for a sign of life."""

DEADLINE_S = 30.0
"""A peer that was silent this long is dead."""


class Heartbeat:
    """One timer a link: a sign of life moves the deadline, and the timer follows when it fires."""

    def __init__(
        self,
        link: Link,
        ask: Callable[[], None],
        on_dead: Callable[[], None],
        *,
        interval_s: float = INTERVAL_S,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._link = link
        self._ask = ask
        self._on_dead = on_dead
        self._interval_s = interval_s
        self._deadline_s = deadline_s
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._link.heard_at = asyncio.get_running_loop().time()
        self._wait_until(self._link.heard_at + self._interval_s)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_until(self, when: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(when, self._look)

    def _look(self) -> None:
        silent_s = asyncio.get_running_loop().time() - self._link.heard_at
        if silent_s >= self._deadline_s:
            self._timer = None
            self._on_dead()
        elif silent_s >= self._interval_s:
            self._ask()
            self._wait_until(self._link.heard_at + self._deadline_s)
        else:
            self._wait_until(self._link.heard_at + self._interval_s)
