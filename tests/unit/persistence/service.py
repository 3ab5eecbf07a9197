"""The persistence service on a disk and a clock of the test's own."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from anyio import fail_after

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.service import MessagePersistence
from tests.unit.persistence.rig import NOW_MS, Disk, Timers, numbered, seqs


class Gate:
    """Holds the disk at one kind of operation until it is let go."""

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self, operation: str) -> None:
        if operation == self._operation:
            self.reached.set()
            assert self.open.wait(10)


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = Disk()
        self.timers = Timers()
        self.persistence = self.make()

    def make(self, **options: Any) -> MessagePersistence:
        self.persistence = MessagePersistence(
            self.folder,
            clock_ms=lambda: NOW_MS,
            monotonic_s=self.timers.monotonic_s,
            call_later=self.timers.call_later,
            files=self.disk,
            **options,
        )
        return self.persistence

    async def restart(self) -> MessagePersistence:
        await self.persistence.close()
        self.make()
        await self.persistence.start()
        return self.persistence

    def append(self, first: int, last: int, topic: str = "a", **options: Any) -> None:
        for each in numbered(topic, first, last, **options):
            self.persistence.append(*each)

    async def durable(self) -> bool:
        told = asyncio.get_running_loop().create_future()
        self.persistence.when_durable(told.set_result)
        with fail_after(10):
            return bool(await told)

    async def written(self) -> None:
        """Waits until everything that is on its way has landed and the loop has seen it."""
        with fail_after(10):
            while self.persistence._busy or self.persistence._soon:
                await self.persistence._worker.run(lambda: None)
                await asyncio.sleep(0)

    async def read(self, query: LogQuery | None = None) -> list[int]:
        blocks = [block async for block in self.persistence.read(query or LogQuery())]
        return seqs(b"".join(block.lines for block in blocks))

    @property
    def batches(self) -> int:
        return self.disk.done.count("write")

    @property
    def syncs(self) -> int:
        return self.disk.done.count("sync")
