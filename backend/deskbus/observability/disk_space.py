"""DiskSpace: the free space on the disk of the data folder."""

import shutil
from collections.abc import Callable
from pathlib import Path

import anyio

from deskbus.languages.health_words import other, phrase, told
from deskbus_protocol.health import ComponentHealth, Status

LOOK_EVERY_S = 10.0
LITTLE_BYTES = 500_000_000
"""Five hundred megabytes: the log and the audit log go on for a while, and somebody should look."""


class DiskSpace:
    def __init__(self, folder: Path, exposed: Callable[[Path], str] = lambda _: "") -> None:
        """`exposed` tells how others can get at the folder, "" where nobody can; it may block."""
        self._folder = folder
        self._exposed = exposed
        self._exposure = ""
        self._free_bytes: int | None = None
        self._problem = ""

    async def run(self) -> None:
        """Measures until cancelled, on a thread: a disk that hangs hangs nobody else."""
        while True:
            await self.look()
            await anyio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        try:
            usage = await anyio.to_thread.run_sync(
                shutil.disk_usage, self._folder, abandon_on_cancel=True
            )
            self._exposure = await anyio.to_thread.run_sync(
                self._exposed, self._folder, abandon_on_cancel=True
            )
        except OSError as error:
            self._free_bytes, self._problem = None, error.strerror or "it can't be measured"
        else:
            self._free_bytes, self._problem = usage.free, ""

    @property
    def free_bytes(self) -> int | None:
        """The free space; None where it can't be measured, or was not yet."""
        return self._free_bytes

    def health(self) -> ComponentHealth:
        if self._problem:
            return told("degraded", other(self._problem))
        if self._free_bytes is None:
            return told("ok", phrase("disk-unmeasured"))
        if self._exposure:
            return told("degraded", other(self._exposure))
        status: Status = "degraded" if self._free_bytes < LITTLE_BYTES else "ok"
        return told(status, phrase("disk", gb=round(self._free_bytes / 1e9, 1)))
