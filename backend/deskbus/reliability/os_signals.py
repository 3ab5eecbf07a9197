"""Signals of the operating system, on every event loop: Windows' has no signal handlers."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

import anyio
import structlog

from deskbus.reliability.background_tasks import BackgroundTasks

ENDING: tuple[signal.Signals, ...]
"""Those by which a person or the system asks the backend to end in order."""

if sys.platform == "win32":
    # Ctrl-Break is also what closing the console, logging off and shutting down come as.
    ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGBREAK)
else:
    ENDING = (signal.SIGTERM, signal.SIGINT)


log = structlog.get_logger()


class EndingSignals:
    """Calls `on_signal` for each of those that ask the backend to end in order."""

    def __init__(self, on_signal: Callable[[], None]) -> None:
        self._on_signal = on_signal

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = BackgroundTasks()
        with receive_signals(*ENDING) as signals:
            async with tasks.running():
                tasks.start(self._receive, signals)
                yield

    async def _receive(self, signals: AsyncIterator[signal.Signals]) -> None:
        async for number in signals:
            log.info("backend.signal", signal=number.name)
            self._on_signal()


@contextmanager
def receive_signals(*numbers: signal.Signals) -> Iterator[AsyncIterator[signal.Signals]]:
    """Takes these signals for the length of a `with` block, whose value is the row of them.

    Only in the main thread. Afterwards whoever took them before does so again.
    """
    if sys.platform == "win32":
        with _receive_by_python(*numbers) as signals:
            yield signals
    else:
        with anyio.open_signal_receiver(*numbers) as signals:
            yield signals


@contextmanager
def _receive_by_python(*numbers: signal.Signals) -> Iterator[AsyncIterator[signal.Signals]]:
    """Receives signals through Python's own handlers, which run between two steps of the loop and
    wake it.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[signal.Signals] = asyncio.Queue()

    def handle(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(arrived.put_nowait, signal.Signals(number))

    before: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}
    try:
        for number in numbers:
            before[number] = signal.signal(number, handle)
        yield _each(arrived)
    finally:
        for number, handler in before.items():
            # None: a handler that was not Python's, which can't be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


async def _each(arrived: "asyncio.Queue[signal.Signals]") -> AsyncIterator[signal.Signals]:
    while True:
        yield await arrived.get()
