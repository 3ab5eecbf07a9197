"""Tasks of a part: begun only while it is at work, and ended with it."""

import anyio
import anyio.lowlevel
from structlog.testing import capture_logs

from deskbus.reliability.background_tasks import BackgroundTasks


async def test_a_part_that_is_not_at_work_begins_nothing() -> None:
    tasks = BackgroundTasks()
    assert not tasks.start(anyio.sleep, 0)
    async with tasks.running():
        assert tasks.start(anyio.sleep, 0)
    assert not tasks.running_now
    assert not tasks.start(anyio.sleep, 0)


async def test_a_task_that_fails_is_logged_and_ends_nothing_else() -> None:
    tasks, failed, ended = BackgroundTasks(), anyio.Event(), anyio.Event()

    async def fails() -> None:
        failed.set()
        raise LookupError("broken")

    async def goes_on() -> None:
        await failed.wait()
        await anyio.lowlevel.checkpoint()
        ended.set()

    with anyio.fail_after(20), capture_logs() as logged:
        async with tasks.running():
            tasks.start(goes_on)
            tasks.start(fails)
            await ended.wait()
            assert tasks.running_now
    assert [entry["event"] for entry in logged] == ["task.failed"]


async def test_its_end_cancels_what_is_under_way() -> None:
    tasks, begun, ended = BackgroundTasks(), anyio.Event(), anyio.Event()

    async def forever() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    with anyio.fail_after(20):
        async with tasks.running():
            tasks.start(forever)
            await begun.wait()
    assert ended.is_set()
