"""In one turn of the loop an app's links get so much of it, whatever they have to do."""

from collections.abc import Callable, Coroutine
from time import perf_counter
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from structlog.testing import capture_logs

from deskbus.reliability.work_clock import work_s
from deskbus.rpc.fair_turns import BEGUN_A_TURN, TURN_S, FairTurns, charged

STEPS = 40
STEP_S = TURN_S / 10


def keep_the_loop(seconds: float) -> None:
    until = perf_counter() + seconds
    while perf_counter() < until:
        pass


class Work:
    """Steps, each of which says its worker's name and its number."""

    def __init__(self, turns: FairTurns, name: str, done: list[tuple[str, int]]) -> None:
        self.turns = turns
        self.name = name
        self.done = done
        self.steps = 0

    def work(self, until_s: float) -> bool:
        while self.steps < STEPS:
            keep_the_loop(STEP_S)
            self.done.append((self.name, self.steps))
            self.steps += 1
            if work_s() >= until_s:
                break
        return self.steps < STEPS

    def abort(self) -> None:
        raise AssertionError


class Broken:
    """Work that fails."""

    def __init__(self, turns: FairTurns) -> None:
        self.turns = turns
        self.is_aborted = False

    def work(self, until_s: float) -> bool:
        raise LookupError("broken")

    def abort(self) -> None:
        self.is_aborted = True


class Calls:
    """Calls that are begun for as long as the turn is not over."""

    def __init__(self, turns: FairTurns) -> None:
        self.turns = turns
        self.begun = 0

    def work(self, until_s: float) -> bool:
        while self.begun < STEPS and not self.turns.is_over:
            self.turns.begin()
            self.begun += 1
        return self.begun < STEPS

    def abort(self) -> None:
        raise AssertionError


async def turns_until(done: Callable[[], bool]) -> int:
    turns = 0
    with anyio.fail_after(20):
        while not done():
            await anyio.lowlevel.checkpoint()
            turns += 1
    return turns


async def test_work_that_is_long_is_shared_out_over_turns_in_its_order() -> None:
    turns, done = FairTurns(), list[tuple[str, int]]()
    turns.take(Work(turns, "one", done))
    assert 0 < len(done) < STEPS
    needed = await turns_until(lambda: len(done) == STEPS)
    assert needed >= STEPS * STEP_S / TURN_S - 2
    assert done == [("one", number) for number in range(STEPS)]


async def test_one_that_shares_the_turns_is_served_beside_one_with_much_to_do() -> None:
    turns, done = FairTurns(), list[tuple[str, int]]()
    turns.take(Work(turns, "busy", done))
    turns.take(Work(turns, "other", done))
    await turns_until(lambda: ("other", 0) in done)
    assert ("busy", STEPS - 1) not in done
    await turns_until(lambda: len(done) == 2 * STEPS)


async def test_of_one_who_joined_others_the_rest_is_done_in_their_turns() -> None:
    own, shared, done = FairTurns(), FairTurns(), list[tuple[str, int]]()
    work = Work(own, "one", done)
    work.turns = shared
    own.take(work)
    assert not own._waiting
    assert list(shared._waiting) == [work]
    await turns_until(lambda: len(done) == STEPS)


async def test_a_turn_begins_a_few_calls() -> None:
    turns = FairTurns()
    calls = Calls(turns)
    turns.take(calls)
    before = 0
    while calls.begun < STEPS:
        assert calls.begun - before == BEGUN_A_TURN
        before = calls.begun
        await anyio.lowlevel.checkpoint()


async def test_a_long_call_is_paid_for_before_the_next_begins() -> None:
    turns = FairTurns()
    turns.charge(5 * TURN_S)
    calls = Calls(turns)
    turns.take(calls)
    assert await turns_until(lambda: calls.begun > 0) >= 4


async def test_small_work_schedules_nothing() -> None:
    turns = FairTurns()
    turns.charge(TURN_S / 100)
    assert not turns._is_counting


async def waits_between(told: list[str]) -> str:
    keep_the_loop(STEP_S)
    await anyio.lowlevel.checkpoint()
    told.append("resumed")
    keep_the_loop(STEP_S)
    return "answer"


async def fails(told: list[str]) -> str:
    await anyio.lowlevel.checkpoint()
    told.append("resumed")
    raise ValueError("told")


async def never_ends(told: list[str]) -> str:
    try:
        await anyio.sleep_forever()
    finally:
        told.append("cancelled")
    raise AssertionError


def charging() -> tuple[list[float], list[str]]:
    return [], []


async def run(
    call: Callable[[list[str]], Coroutine[Any, Any, str]], paid: list[float], told: list[str]
) -> str:
    return await charged(call(told), paid.append)


async def test_each_part_of_a_call_is_charged_and_its_answer_comes_back() -> None:
    paid, told = charging()
    assert await run(waits_between, paid, told) == "answer"
    assert told == ["resumed"]
    assert sum(paid) >= 2 * STEP_S
    assert len(paid) >= 2


async def test_a_charged_call_fails_as_it_would() -> None:
    paid, told = charging()
    with pytest.raises(ValueError, match="told"):
        await run(fails, paid, told)
    assert told == ["resumed"]


async def test_a_charged_call_can_be_cancelled() -> None:
    paid, told = charging()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, never_ends, paid, told)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    assert told == ["cancelled"]


async def test_work_that_fails_is_given_up_and_the_others_go_on() -> None:
    turns, done = FairTurns(), list[tuple[str, int]]()
    broken = [Broken(turns) for _ in range(3)]
    with capture_logs() as logged:
        turns.take(broken[0])
        turns.take(Work(turns, "before", done))
        turns.take(broken[1])
        turns.take(broken[2])
        turns.take(Work(turns, "after", done))
        await turns_until(lambda: len(done) == 2 * STEPS)
    assert all(each.is_aborted for each in broken)
    assert [entry["event"] for entry in logged] == ["turn.failed"] * 3
