"""Deadlines: never early, late by a slot at most, and not at all for what was removed."""

import asyncio

import anyio
import pytest

from deskbus.storage.deadline_wheel import FEW_SLOTS, SLOT_S, DeadlineWheel


class Wheel:
    """A wheel on a clock by hand, on a loop whose timers are called by hand too."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.due: list[tuple[str, float]] = []
        self.timers: list[asyncio.TimerHandle] = []
        self.wheel = DeadlineWheel[str](self._on_due, lambda: self.now_s)
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", self._call_later)

    def _on_due(self, item: str) -> None:
        self.due.append((item, self.now_s))

    def _call_later(self, delay_s: float, callback: object, *args: object) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        timer = loop.call_at(loop.time() + 3600, callback, *args)  # type: ignore[arg-type]
        self.timers.append(timer)
        return timer

    async def pass_s(self, seconds: float) -> None:
        """Time goes by, and the loop's timer is on time."""
        self.now_s += seconds
        pending = [timer for timer in self.timers if not timer.cancelled()]
        assert len(pending) <= 1, "one timer serves all"
        self.timers.clear()
        for timer in pending:
            callback, args = timer._callback, timer._args  # type: ignore[attr-defined]
            timer.cancel()
            callback(*args)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()


@pytest.fixture
async def hand(monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> Wheel:
    return Wheel(monkeypatch)


async def test_an_item_is_due_at_its_time_and_no_earlier(hand: Wheel) -> None:
    hand.wheel.add("a", 1.0)
    await hand.pass_s(0.99)
    assert hand.due == []
    await hand.pass_s(0.01 + SLOT_S)
    assert [item for item, _ in hand.due] == ["a"]
    await hand.pass_s(10)
    assert len(hand.due) == 1


async def test_items_are_due_in_the_order_of_their_times(hand: Wheel) -> None:
    hand.wheel.add("late", 5.0)
    hand.wheel.add("soon", 1.0)
    await hand.pass_s(1.0 + SLOT_S)
    hand.wheel.add("between", 2.0)
    await hand.pass_s(2.0 + SLOT_S)
    await hand.pass_s(5.0)
    assert [item for item, _ in hand.due] == ["soon", "between", "late"]


async def test_what_was_removed_is_never_due(hand: Wheel) -> None:
    slot = hand.wheel.add("a", 1.0)
    hand.wheel.add("b", 1.0)
    hand.wheel.remove("a", slot)
    await hand.pass_s(2.0)
    assert [item for item, _ in hand.due] == ["b"]
    hand.wheel.remove("b", slot)


async def test_while_the_process_stood_still_nothing_becomes_due(hand: Wheel) -> None:
    hand.wheel.add("a", 1.0)
    # The loop's timer is due; by the clock of time awake hardly any has passed.
    await hand.pass_s(0.1)
    assert hand.due == []
    await hand.pass_s(0.9 + SLOT_S)
    assert [item for item, _ in hand.due] == ["a"]


async def test_what_has_arrived_by_a_deadline_is_read_first(hand: Wheel) -> None:
    slot = hand.wheel.add("a", 1.0)
    hand.now_s += 2.0
    timer = hand.timers.pop()
    callback, args = timer._callback, timer._args  # type: ignore[attr-defined]
    callback(*args)
    hand.wheel.remove("a", slot)
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
    assert hand.due == []


async def test_answered_items_leave_no_slots_behind(hand: Wheel) -> None:
    for _ in range(100):
        slot = hand.wheel.add("a", 10.0)
        hand.wheel.remove("a", slot)
        hand.now_s += SLOT_S
    hand.wheel.add("last", 1.0)
    await hand.pass_s(11.0)
    assert hand.wheel._slots == {}
    assert hand.wheel._order == []


@pytest.mark.requirement("R")
async def test_removed_items_leave_no_slot_behind_and_the_others_are_due(hand: Wheel) -> None:
    """A request may wait for an hour, and be taken back at once."""
    hand.wheel.add("stays", 30.0)
    for number in range(10_000):
        slot = hand.wheel.add("goes", number * SLOT_S)
        hand.wheel.remove("goes", slot)
    assert len(hand.wheel._slots) == 1
    assert len(hand.wheel._order) <= 2 + FEW_SLOTS
    again = hand.wheel.add("goes", 30.0)
    hand.wheel.remove("goes", again)
    hand.wheel.add("again", 5.0)
    await hand.pass_s(5.0 + SLOT_S)
    await hand.pass_s(25.0 + SLOT_S)
    await hand.pass_s(3600)
    assert [item for item, _ in hand.due] == ["again", "stays"]
    assert not hand.wheel._slots
    assert not hand.wheel._order
