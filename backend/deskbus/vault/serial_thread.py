"""A thread for what blocks on the vault, one call at a time."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


class SerialThread:
    """Runs calls on daemon threads, which a keychain that hangs can't make the backend wait for.

    Whoever waits for a turn costs no thread, however many an app has waiting while a person looks
    at the keychain's dialog.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._running: asyncio.Future[None] | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """In order of coming; after the end of a call, too, whose caller has left."""
        async with self._lock:
            if self._running is not None:
                await asyncio.shield(self._running)
            yield

    async def run(self, action: Callable[[], T]) -> T:
        """To be called in one's turn."""
        ended = self._running = asyncio.get_running_loop().create_future()
        value: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                value.append(action())
            except BaseException as error:  # noqa: BLE001  # it is raised where it is awaited
                failed.append(error)
            with contextlib.suppress(RuntimeError):  # the loop has ended
                ended.get_loop().call_soon_threadsafe(ended.set_result, None)

        threading.Thread(target=run, name="vault", daemon=True).start()
        # The values are in no future: a loop in debug mode writes those into its log.
        await asyncio.shield(ended)
        if failed:
            raise failed.pop()
        return value.pop()
