"""Turns go round: no owner waits for the whole of what another has asked for."""

from collections.abc import Awaitable, Callable
from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup
from structlog.testing import capture_logs

from deskbus.reliability.fair_queue import MAX_WAITING, Chores, FairQueue, Pieces
from deskbus_protocol.errors import OVERLOADED, DeskbusError


class Work:
    """Pieces of work, each of which runs until it is told to end."""

    def __init__(self, turns: FairQueue, tasks: TaskGroup) -> None:
        self.turns = turns
        self.tasks = tasks
        self.begun: list[str] = []
        self.ends: list[anyio.Event] = []

    async def want(self, owner: str) -> None:
        self.tasks.start_soon(self._do, owner)
        await anyio.wait_all_tasks_blocked()

    async def end(self, number: int) -> None:
        self.ends[number].set()
        await anyio.wait_all_tasks_blocked()

    async def _do(self, owner: str) -> None:
        async with self.turns.take(owner):
            self.begun.append(owner)
            end = anyio.Event()
            self.ends.append(end)
            await end.wait()


Scene = Callable[[Work], Awaitable[None]]


async def play(turns: FairQueue, scene: Scene) -> None:
    async with anyio.create_task_group() as tasks:
        await scene(Work(turns, tasks))
        tasks.cancel_scope.cancel()


async def test_one_owner_leaves_turns_for_others() -> None:
    async def scene(work: Work) -> None:
        for _ in range(20):
            await work.want("busy")
        assert work.begun == ["busy"] * 2
        await work.want("other")
        assert work.begun == ["busy"] * 2 + ["other"]

    await play(FairQueue(4, of_one=2), scene)


async def test_a_free_turn_goes_to_who_waits_longest_for_one() -> None:
    async def scene(work: Work) -> None:
        for _ in range(20):
            await work.want("busy")
        await work.want("late")
        await work.want("later")
        for number in range(4):
            await work.end(number)
        assert work.begun[1:] == ["busy", "late", "later", "busy"]

    await play(FairQueue(1, of_one=1), scene)


async def test_what_is_cancelled_while_it_waits_or_runs_holds_no_turn() -> None:
    turns = FairQueue(1, of_one=1)

    async def scene(work: Work) -> None:
        for _ in range(3):
            await work.want("a")

    await play(turns, scene)
    with anyio.fail_after(20):
        async with turns.take("b"):
            pass


async def test_too_much_of_one_owner_is_refused_and_of_no_other() -> None:
    async def scene(work: Work) -> None:
        for _ in range(MAX_WAITING + 1):
            work.tasks.start_soon(work._do, "busy")
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeskbusError) as refused:
            async with work.turns.take("busy"):
                pass
        assert refused.value.kind is OVERLOADED
        await work.want("other")
        await work.end(0)
        await work.end(1)
        assert "other" in work.begun

    await play(FairQueue(1, of_one=1), scene)


async def test_chores_are_done_a_piece_in_a_turn_of_the_loop_and_the_owners_in_turn() -> None:
    done: list[str] = []
    turns: list[int] = []
    turn = 0

    def work(owner: str, pieces: int) -> Callable[[], bool]:
        left = iter(range(pieces))

        def piece() -> bool:
            next(left)
            done.append(owner)
            turns.append(turn)
            return len(done) < 100 and done.count(owner) < pieces

        return piece

    chores = Chores()
    for _ in range(3):
        chores.add("busy", work("busy", 9))
    chores.add("other", work("other", 2))
    with anyio.fail_after(20):
        while len(done) < 11:
            turn += 1
            await anyio.lowlevel.checkpoint()
    assert done[:4] == ["busy", "other", "busy", "other"]
    assert len(set(turns)) == len(turns)


async def test_a_chore_may_add_another() -> None:
    chores = Chores()
    done: list[str] = []
    ended = anyio.Event()

    def first() -> bool:
        done.append("first")
        chores.add("one", second)
        chores.add("other", second)
        return False

    def second() -> bool:
        done.append("second")
        if len(done) == 3:
            ended.set()
        return False

    chores.add("one", first)
    with capture_logs() as log, anyio.fail_after(20):
        await ended.wait()
        await anyio.lowlevel.checkpoint()
    assert done == ["first", "second", "second"]
    assert log == []


async def test_a_chore_that_fails_is_told_and_ends_alone() -> None:
    chores = Chores()
    done = anyio.Event()

    def fail() -> bool:
        raise ValueError("on purpose")

    def end() -> bool:
        done.set()
        return False

    with capture_logs() as log:
        chores.add("one", fail)
        chores.add("one", end)
        with anyio.fail_after(20):
            await done.wait()
    assert [entry["event"] for entry in log] == ["chore.failed"]


async def test_pieces_are_taken_by_the_owners_in_turn_one_in_a_turn_of_the_loop() -> None:
    pieces = Pieces(100)
    done: list[str] = []

    async def work(owner: str, count: int) -> None:
        for _ in range(count):
            async with pieces.take(owner):
                done.append(owner)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(work, "busy", 5)
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(work, "other", 5)
        with anyio.fail_after(20):
            while done.count("other") < 5:
                before = len(done)
                await anyio.lowlevel.checkpoint()
                assert len(done) <= before + 1
    assert len(done) == 105
    places = [place for place, owner in enumerate(done) if owner == "other"]
    assert max(after - before for before, after in pairwise(places)) <= 3
