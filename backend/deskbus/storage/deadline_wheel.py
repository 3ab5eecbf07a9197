"""DeadlineWheel: the deadlines of many, in slots, with one timer of the event loop for all."""

import asyncio
import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from deskbus.storage.awake_clock import READING_TURNS, awake_s

SLOT_S = 0.02
"""A deadline is late by this much at most, and never early."""

FEW_SLOTS = 64
"""Numbers of slots that are empty by now, and are kept without counting."""

T = TypeVar("T")


class DeadlineWheel(Generic[T]):
    """Calls `on_due` with an item whose time is over, unless it was removed before.

    Seconds are counted by `clock`, in which the process was awake; what has arrived by a deadline
    is read first. Adding and removing cost the same however many items there are.
    """

    def __init__(self, on_due: Callable[[T], None], clock: Callable[[], float] = awake_s) -> None:
        self._on_due = on_due
        self._clock = clock
        self._slots: dict[int, set[T]] = {}
        self._order: list[int] = []
        self._timer: asyncio.Handle | None = None
        self._timer_slot = 0

    def add(self, item: T, within_s: float) -> int:
        """Returns the item's slot, by which it can be removed."""
        slot = math.ceil((self._clock() + within_s) / SLOT_S)
        items = self._slots.get(slot)
        if items is None:
            items = self._slots[slot] = set()
            heappush(self._order, slot)
            self._set_timer()
        items.add(item)
        return slot

    def remove(self, item: T, slot: int) -> None:
        """Forgets an item, also one whose time is over already."""
        items = self._slots.get(slot)
        if items is None:
            return
        items.discard(item)
        if not items:
            del self._slots[slot]
            if len(self._order) > 2 * len(self._slots) + FEW_SLOTS:
                self._order = list(self._slots)
                heapify(self._order)

    def _set_timer(self) -> None:
        """Wakes the wheel at its first slot."""
        first = self._order[0]
        if self._timer is not None:
            if self._timer_slot <= first:
                return
            self._timer.cancel()
        delay_s = max(first * SLOT_S - self._clock(), 0.0)
        self._timer_slot = first
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._read_first, 0)

    def _read_first(self, turns: int) -> None:
        if turns < READING_TURNS:
            again = asyncio.get_running_loop().call_soon(self._read_first, turns + 1)
            self._timer = again
        else:
            self._timer = None
            self._expire()

    def _expire(self) -> None:
        now = self._clock()
        while self._order and self._order[0] * SLOT_S <= now:
            slot = self._order[0]
            while due := self._slots.get(slot):
                self._on_due(due.pop())
            self._slots.pop(slot, None)
            if self._order and self._order[0] == slot:
                heappop(self._order)
        while self._order and self._order[0] not in self._slots:
            heappop(self._order)
        if self._order:
            self._set_timer()
