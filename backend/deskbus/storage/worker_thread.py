"""WorkerThread: does blocking work in order, so that the event loop never waits for it."""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import TypeVar

import structlog

T = TypeVar("T")

_Jobs = SimpleQueue[Callable[[], None] | None]

log = structlog.get_logger()


class WorkerThread:
    """One job at a time, on a daemon thread that begins with the first of them.

    So what hangs can't keep the process from ending. `log_faults` is for jobs whose tracebacks
    carry no secrets: errors other than `OSError` are logged.
    """

    def __init__(self, name: str, *, log_faults: bool = True) -> None:
        self._name = name
        self._log_faults = log_faults
        self._jobs: _Jobs | None = None
        self._turn = asyncio.Lock()
        self._running: asyncio.Future[None] | None = None

    def submit(self, job: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        """`done` is called in the running loop with what `job` returned or raised."""
        loop, name, log_faults = asyncio.get_running_loop(), self._name, self._log_faults

        def work() -> None:
            outcome: T | BaseException
            try:
                outcome = job()
            except OSError as error:
                outcome = error
            except BaseException as error:  # it is for whoever asked for the job
                if log_faults:
                    log.exception("worker.failed", thread=name)
                outcome = error
            with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
                loop.call_soon_threadsafe(done, outcome)

        if self._jobs is None:
            self._jobs = _begin(self._name)
            weakref.finalize(self, self._jobs.put, None)
        self._jobs.put(work)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """In order of coming, and behind a job whose caller has left; costs no thread."""
        async with self._turn:
            if self._running is not None:
                await asyncio.shield(self._running)
            yield

    async def run(self, job: Callable[[], T]) -> T:
        """Runs `job` on the thread; returns its result, and raises its error.

        The job goes on where the caller is cancelled.
        """
        ended = self._running = asyncio.get_running_loop().create_future()
        # The values are in no future: a loop in debug mode writes those into its log.
        outcomes: list[T | BaseException] = []

        def done(outcome: T | BaseException) -> None:
            outcomes.append(outcome)
            if not ended.done():
                ended.set_result(None)

        self.submit(job, done)
        await asyncio.shield(ended)
        outcome = outcomes.pop()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def stop(self) -> None:
        """Ends the thread after its present jobs; a later job begins another."""
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None


def _begin(name: str) -> _Jobs:
    jobs: _Jobs = SimpleQueue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            job()
            del job

    threading.Thread(target=work, name=name, daemon=True).start()
    return jobs
