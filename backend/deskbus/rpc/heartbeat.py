"""Heartbeat: finds out that a peer has gone silent, at its deadline and not a poll later.

It reads first, then judges: where the timer itself came late, this process stood still, and
what the peer sent lies unread, or the peer stood still with it. Then the peer is asked anew.
"""

import asyncio
from collections.abc import Callable

from deskbus.storage.awake_clock import STOOD_STILL_S
from deskbus.storage.deadline_timer import DeadlineTimer
from deskbus.transport.link import Link
from deskbus_protocol.reconnection import HEARTBEAT_DEADLINE_MS, HEARTBEAT_INTERVAL_MS


class Heartbeat:
    """One timer a link: a sign of life moves the deadline, and the timer follows when it fires."""

    def __init__(
        self,
        link: Link,
        ask: Callable[[], None],
        on_dead: Callable[[], None],
        *,
        interval_s: float = HEARTBEAT_INTERVAL_MS / 1000,
        deadline_s: float = HEARTBEAT_DEADLINE_MS / 1000,
    ) -> None:
        self._link = link
        self._ask = ask
        self._on_dead = on_dead
        self._interval_s = interval_s
        self._deadline_s = deadline_s
        self._due_at = 0.0
        self._timer = DeadlineTimer(self._look, _loop_s)

    def start(self) -> None:
        self._link.heard_at = _loop_s()
        self._wait_until(self._link.heard_at + self._interval_s)

    def stop(self) -> None:
        self._timer.end()

    def _wait_until(self, due_at: float) -> None:
        self._due_at = due_at
        self._timer.set(due_at)

    def _look(self) -> None:
        now = _loop_s()
        self._link.look_for_progress()
        stood_still = now - self._due_at >= STOOD_STILL_S
        silent_s = now - self._link.heard_at
        if stood_still and silent_s >= self._interval_s:
            self._ask()
            self._wait_until(now + max(self._deadline_s - self._interval_s, STOOD_STILL_S))
        elif silent_s >= self._deadline_s:
            self._on_dead()
        elif silent_s >= self._interval_s:
            self._ask()
            self._wait_until(self._link.heard_at + self._deadline_s)
        else:
            self._wait_until(self._link.heard_at + self._interval_s)


def _loop_s() -> float:
    return asyncio.get_running_loop().time()
