"""An app's stdout and stderr: kept in a few files, within a rate limit."""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import structlog

from deskbus.reliability.token_bucket import TokenBucket

FILE_BYTES = 2 * 1024 * 1024
FILES = 4
BURST_S = 4.0
"""The time whose allowance an app may write at once after a quiet while."""

TAIL_LINES = 40
LINE_CHARACTERS = 400
WRITE_WITHIN_S = 1.0
UNWRITTEN_BYTES = 1024 * 1024
"""The limit of output that waits for a file that can't be written."""

_HANGS = "its disk does not answer"

DROP_PAUSE_S = 0.02
"""Between two reads of what is dropped: a flood costs us one read of 64 KiB in this time."""

log = structlog.get_logger()


class AppLogFile:
    """One app's log: `app.log`, and older ones as `app.log.1` and so on; private to this user."""

    def __init__(self, path: Path, *, file_bytes: int = FILE_BYTES, files: int = FILES) -> None:
        self._path = path
        self._file_bytes = file_bytes
        self._files = files

    def append(self, content: bytes) -> None:
        """Blocks; raises `OSError`."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size + len(content) > self._file_bytes:
            self._rotate()
        with open(self._path, "ab", opener=_private) as file:
            file.write(content)

    def _rotate(self) -> None:
        for number in range(self._files - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            newer = self._path.with_name(f"{self._path.name}.{number - 1}")
            if number == 1:
                newer = self._path
            if newer.exists():
                newer.replace(older)


class LogCapture:
    """Takes an app's output, drops what is too much, and keeps the last lines for a crash page."""

    def __init__(
        self, file: AppLogFile, bytes_per_s: int, monotonic_s: Callable[[], float]
    ) -> None:
        self._file = file
        self._monotonic_s = monotonic_s
        self._bucket = TokenBucket(bytes_per_s, bytes_per_s * BURST_S, monotonic_s())
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""
        self._dropped = 0
        self._offered = 0
        self._offered_at = monotonic_s()
        self._dropping = False
        self._writing = False
        self._unwritten = bytearray()
        self.problem = ""
        """Why the last lines are not in the file; empty where they are."""

    def allow(self, bytes_per_s: int) -> None:
        self._bucket.per_s = bytes_per_s
        self._bucket.burst = bytes_per_s * BURST_S

    @property
    def tail(self) -> list[str]:
        """The last lines, oldest first, without control characters."""
        rest = [_readable(self._rest)] if self._rest else []
        return [*self._lines, *rest][-TAIL_LINES:]

    def excess_per_s(self) -> float:
        """Bytes a second offered since the last call, where some of them were dropped; else 0."""
        now = self._monotonic_s()
        offered, self._offered = self._offered, 0
        elapsed, self._offered_at = now - self._offered_at, now
        dropping, self._dropping = self._dropping, False
        return offered / max(elapsed, 0.001) if dropping else 0.0

    async def add(self, content: bytes) -> bool:
        """Takes what was written; False where it was dropped.

        Returns once it is in the file, but waits `WRITE_WITHIN_S` at most: a disk that hangs
        may hold back the file, never the app.
        """
        now = self._monotonic_s()
        self._offered += len(content)
        if not self._bucket.take(len(content), now):
            self._dropped += len(content)
            self._dropping = True
            return False
        if self._dropped:
            note = f"\n[deskbus: {self._dropped} bytes dropped, this app writes too much]\n"
            content, self._dropped = note.encode() + content, 0
        self._remember(content)
        if len(self._unwritten) + len(content) > UNWRITTEN_BYTES:
            self.problem = f"{_HANGS}, lines are dropped"
            return True
        self._unwritten += content
        if not self._writing:
            await self._write()
        return True

    async def _write(self) -> None:
        content = bytes(self._unwritten)
        self._unwritten.clear()
        self._writing = True
        with anyio.move_on_after(WRITE_WITHIN_S) as limit:
            try:
                await anyio.to_thread.run_sync(self._append, content, abandon_on_cancel=True)
            except RuntimeError as error:
                # No thread can be started, so `_append` was not called.
                self._writing = False
                self.problem = str(error)
                log.warning("app.log_not_written", reason=str(error))
        if limit.cancelled_caught:
            self.problem = _HANGS
            log.warning("app.log_hangs")

    def _append(self, content: bytes) -> None:
        """On a thread."""
        try:
            self._file.append(content)
        except OSError as error:
            self.problem = error.strerror or "it can't be written"
            log.warning("app.log_not_written", reason=error.strerror)
        else:
            self.problem = ""
        finally:
            self._writing = False

    def _remember(self, content: bytes) -> None:
        *lines, self._rest = (self._rest + content).split(b"\n")
        self._rest = self._rest[-LINE_CHARACTERS:]
        for line in lines[-TAIL_LINES:]:
            if line.strip():
                self._lines.append(_readable(line))


def _readable(line: bytes) -> str:
    text = line[: 4 * LINE_CHARACTERS].decode(errors="replace")
    return "".join(mark if mark.isprintable() else " " for mark in text)[:LINE_CHARACTERS].rstrip()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
