"""Loops: what fails is begun anew, and ends nothing else."""

import anyio
import pytest
from structlog.testing import capture_logs

from deskbus.reliability import loops as module
from deskbus.reliability.loops import Loops
from deskbus.reliability.resource_shortage import ResourceShortage


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> Loops:
    monkeypatch.setattr(module, "AGAIN_AFTER_S", 0.0)
    return Loops(ResourceShortage())


async def test_a_loop_that_fails_is_begun_anew_until_it_has_ended(loops: Loops) -> None:
    rounds, ended = 0, anyio.Event()

    async def fails_twice() -> None:
        nonlocal rounds
        rounds += 1
        if rounds < 3:
            raise LookupError("broken")
        ended.set()

    with anyio.fail_after(20), capture_logs() as logged:
        async with loops.running(fails_twice):
            await ended.wait()
    assert rounds == 3
    assert [entry["event"] for entry in logged] == ["component.failed"] * 2


async def test_a_further_task_that_fails_ends_neither_a_loop_nor_the_part(loops: Loops) -> None:
    failed, went_on = anyio.Event(), anyio.Event()

    async def goes_on() -> None:
        await failed.wait()
        await anyio.lowlevel.checkpoint()
        went_on.set()

    async def fails() -> None:
        failed.set()
        raise LookupError("broken")

    with anyio.fail_after(20), capture_logs() as logged:
        async with loops.running(goes_on) as tasks:
            assert tasks.start(fails)
            await went_on.wait()
    assert [entry["event"] for entry in logged] == ["task.failed"]
