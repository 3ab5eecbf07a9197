"""The worker does one job after another on its own thread and answers in the loop."""

import asyncio
import gc
import threading

import anyio
import pytest

from deskbus.storage.worker_thread import WorkerThread


def threads_of(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


async def test_jobs_are_done_in_order_on_one_other_thread() -> None:
    worker = WorkerThread("test")
    threads = [await worker.run(threading.get_ident) for _ in range(3)]
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads
    worker.stop()


async def test_what_a_job_raises_is_its_outcome_and_the_worker_lives_on() -> None:
    worker = WorkerThread("test")

    def fail(error: BaseException) -> None:
        raise error

    for error in (OSError("full"), ValueError("odd"), SystemExit("out")):
        with pytest.raises(type(error), match=str(error)):
            await worker.run(lambda error=error: fail(error))  # type: ignore[misc]
    assert await worker.run(lambda: 5) == 5
    worker.stop()


def test_nobody_is_called_when_the_loop_has_gone() -> None:
    worker, go_on = WorkerThread("loopless"), threading.Event()

    async def submit() -> None:
        worker.submit(go_on.wait, lambda _outcome: pytest.fail("was called"))

    asyncio.run(submit())
    (thread,) = threads_of("loopless")
    go_on.set()
    worker.stop()
    thread.join(10)
    assert not thread.is_alive()


async def test_a_job_after_the_end_begins_another_thread() -> None:
    worker = WorkerThread("again")
    first = await worker.run(threading.current_thread)
    worker.stop()
    with anyio.fail_after(20):
        assert await worker.run(threading.current_thread) is not first
    worker.stop()


async def test_the_thread_of_a_worker_that_is_forgotten_ends() -> None:
    worker = WorkerThread("forgotten")
    thread = await worker.run(threading.current_thread)
    del worker
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()


async def test_turns_come_in_order_behind_a_job_whose_caller_has_left() -> None:
    worker, go_on, did = WorkerThread("test"), threading.Event(), list[str]()

    def slow() -> None:
        go_on.wait(10)
        did.append("slow")

    async def take(name: str) -> None:
        async with worker.turn():
            await worker.run(lambda: did.append(name))

    async def leave() -> None:
        async with worker.turn():
            await worker.run(slow)

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(leave)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        for name in ("first", "second"):
            tasks.start_soon(take, name)
            await anyio.wait_all_tasks_blocked()
        assert did == []
        go_on.set()
    assert did == ["slow", "first", "second"]
    worker.stop()


async def test_values_are_in_no_future_that_a_loop_in_debug_mode_would_write() -> None:
    worker = WorkerThread("test")
    loop = asyncio.get_running_loop()
    seen, create = list["asyncio.Future[object]"](), loop.create_future

    def watched() -> "asyncio.Future[object]":
        seen.append(create())
        return seen[-1]

    loop.create_future = watched  # type: ignore[method-assign]
    try:
        assert await worker.run(lambda: "secret") == "secret"
    finally:
        loop.create_future = create  # type: ignore[method-assign]
    assert "secret" not in str(seen)
    worker.stop()
