"""The worker does one job after another on its own thread and answers in the loop."""

import asyncio
import threading

import pytest

from deskbus.storage.worker_thread import WorkerThread


async def test_jobs_are_done_in_order_on_one_other_thread() -> None:
    worker = WorkerThread("test", asyncio.get_running_loop())
    threads = [await worker.run(threading.get_ident) for _ in range(3)]
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads
    worker.stop()


async def test_what_a_job_raises_is_its_outcome_and_the_worker_lives_on() -> None:
    worker = WorkerThread("test", asyncio.get_running_loop())

    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(OSError, match="full"):
        await worker.run(lambda: fail(OSError("full")))
    with pytest.raises(ValueError, match="odd"):
        await worker.run(lambda: fail(ValueError("odd")))
    assert await worker.run(lambda: 5) == 5
    worker.stop()


async def test_nobody_is_called_when_the_loop_has_gone() -> None:
    loop = asyncio.new_event_loop()
    worker = WorkerThread("test", loop)
    go_on = threading.Event()
    worker.submit(go_on.wait, lambda _outcome: pytest.fail("was called"))
    loop.close()
    go_on.set()
    worker.stop()
    worker._thread.join(10)
    assert not worker._thread.is_alive()
