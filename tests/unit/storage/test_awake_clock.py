"""Time awake, and deadlines that are judged only after what had arrived was read."""

import anyio
from hypothesis import given
from hypothesis import strategies as st

from deskbus.storage.awake_clock import BEAT_S, STOOD_STILL_S, AwakeClock, happens_within


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_standstill_is_left_out_and_what_is_short_counts() -> None:
    time = Time()
    clock = AwakeClock(time)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        await anyio.wait_all_tasks_blocked()
        began = clock()
        time.now += 60
        assert abs(clock() - began - BEAT_S) < 1e-6
        time.now += 1
        assert abs(clock() - began - BEAT_S - 1) < 1e-6
        tasks.cancel_scope.cancel()


def test_without_a_beat_nothing_is_known_of_standstills() -> None:
    time = Time()
    clock = AwakeClock(time)
    began = clock()
    time.now += 60
    assert clock() - began == 60


@given(st.lists(st.floats(0, 100), max_size=50))
def test_it_never_goes_back(steps: list[float]) -> None:
    time = Time()
    clock = AwakeClock(time)
    clock._seen_s = time.now
    before = clock()
    for step in steps:
        time.now += step
        now = clock()
        assert -1e-6 <= now - before <= BEAT_S + STOOD_STILL_S + 1e-6
        before = now


async def test_what_comes_in_the_turn_of_the_deadline_has_come_in_time() -> None:
    event = anyio.Event()

    async def arrive() -> None:
        await anyio.lowlevel.checkpoint()
        event.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(arrive)
        assert await happens_within(event, 0)


async def test_a_deadline_that_passed_in_a_standstill_is_given_again() -> None:
    event = anyio.Event()
    # The first look says that no time has gone by: the process stood still.
    looks = iter([0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
    with anyio.fail_after(20):
        assert not await happens_within(event, 0.01, lambda: next(looks))
    assert not list(looks)[1:]
