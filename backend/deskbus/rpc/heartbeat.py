"""Finds out that a peer has gone silent, at its deadline and not a poll later.

It reads first, then judges: where the timer itself came late, this process stood still, and
what the peer sent lies unread, or the peer stood still with it. Then the peer is asked anew.
"""

import asyncio
from collections.abc import Callable

from deskbus.storage.awake_clock import READING_TURNS, STOOD_STILL_S
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
        self._timer: asyncio.Handle | None = None

    def start(self) -> None:
        self._link.heard_at = asyncio.get_running_loop().time()
        self._wait_until(self._link.heard_at + self._interval_s)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_until(self, when: float) -> None:
        self._due_at = when
        self._timer = asyncio.get_running_loop().call_at(when, self._rang)

    def _rang(self) -> None:
        late_s = asyncio.get_running_loop().time() - self._due_at
        self._read_first(READING_TURNS, late_s >= STOOD_STILL_S)

    def _read_first(self, turns: int, stood_still: bool) -> None:
        if turns:
            self._timer = asyncio.get_running_loop().call_soon(
                self._read_first, turns - 1, stood_still
            )
        else:
            self._look(stood_still)

    def _look(self, stood_still: bool) -> None:
        now = asyncio.get_running_loop().time()
        silent_s = now - self._link.heard_at
        if stood_still and silent_s >= self._interval_s:
            self._ask()
            self._wait_until(now + max(self._deadline_s - self._interval_s, STOOD_STILL_S))
        elif silent_s >= self._deadline_s:
            self._timer = None
            self._on_dead()
        elif silent_s >= self._interval_s:
            self._ask()
            self._wait_until(self._link.heard_at + self._deadline_s)
        else:
            self._wait_until(self._link.heard_at + self._interval_s)
