"""One thread that does blocking work in order, so that the event loop never waits for a disk."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger()


class WorkerThread:
    """Lives as a daemon, so a disk that hangs can't keep the process from ending."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], T], done: Callable[[T | Exception], None]) -> None:
        """`done` is called in the loop with what `job` returned or raised."""

        def work() -> None:
            outcome: T | Exception
            try:
                outcome = job()
            except OSError as error:
                outcome = error
            except Exception as error:
                log.exception("persistence.failed")
                outcome = error
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                self._loop.call_soon_threadsafe(done, outcome)

        self._jobs.put(work)

    async def run(self, job: Callable[[], T]) -> T:
        """Runs `job` on the thread; returns its result, and raises its error."""
        outcome: asyncio.Future[T] = self._loop.create_future()

        def done(result: T | Exception) -> None:
            if outcome.done():
                return
            if isinstance(result, Exception):
                outcome.set_exception(result)
            else:
                outcome.set_result(result)

        self.submit(job, done)
        return await outcome

    def stop(self) -> None:
        """The thread ends when it has done what it was given."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            work()
