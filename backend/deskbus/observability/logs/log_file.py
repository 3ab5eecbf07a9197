"""RotatedLogFile: the log in files, written by a thread, so that a slow disk holds nobody up."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from deskbus.languages.health_words import other, phrase, told
from deskbus_protocol.health import ComponentHealth

WAITING_BYTES = 4 * 1024 * 1024
RETRY_S = 5.0
LAST_WRITES_S = 0.5


class RotatedLogFile:
    """`write` is for any thread, and never waits. Files have mode 0600.

    When `path` would exceed `max_bytes` it becomes `path.1`, that becomes `path.2`, and so on;
    `files` are kept in all. Lines that the disk refuses are tried again each `RETRY_S`, whether
    others follow them or not; those for which there is no room meanwhile are counted.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        files: int,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._files = files
        self._monotonic_s = monotonic_s
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._under_way = False
        self._closing = False
        self._problem = ""
        self._retry_at_s = 0.0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log-file", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        piece = f"{line}\n".encode(errors="backslashreplace")
        with self._changed:
            if self._closing or self._waiting_bytes + len(piece) > WAITING_BYTES:
                self.dropped += 1
                return
            self._waiting.append(piece)
            self._waiting_bytes += len(piece)
            self._changed.notify_all()

    def drain(self, within_s: float = LAST_WRITES_S) -> bool:
        """Waits until all is written; false where the disk takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._under_way), within_s)

    def close(self) -> None:
        """Blocks, for `LAST_WRITES_S` at most."""
        self.drain()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(LAST_WRITES_S)

    def health(self) -> ComponentHealth:
        words = phrase("log-dropped", count=self.dropped)
        return told("degraded", other(self._problem), words) if self._problem else told("ok", words)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._under_way = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closing)
                while not self._closing and (left_s := self._retry_at_s - self._monotonic_s()) > 0:
                    self._changed.wait(left_s)
                if not self._waiting:
                    return
                pieces = list(self._waiting)
                self._waiting.clear()
                self._waiting_bytes, self._under_way = 0, True
            self._write(pieces)

    def _write(self, pieces: list[bytes]) -> None:
        done = 0
        try:
            while done < len(pieces):
                done += self._write_some(pieces[done:])
            self._problem = ""
        except OSError as error:
            with self._changed:
                self._keep(pieces[done:])
                self._problem = f"the log file can't be written: {error.strerror}"
                self._retry_at_s = self._monotonic_s() + RETRY_S

    def _keep(self, refused: list[bytes]) -> None:
        """Puts lines back before those that came meanwhile; the newest have no room."""
        lines, self._waiting, self._waiting_bytes = [*refused, *self._waiting], deque(), 0
        for piece in lines:
            if self._closing or self._waiting_bytes + len(piece) > WAITING_BYTES:
                self.dropped += 1
            else:
                self._waiting.append(piece)
                self._waiting_bytes += len(piece)

    def _write_some(self, pieces: list[bytes]) -> int:
        """Writes as many lines as the file has room for, at least one; returns how many."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(self._path, flags, 0o600), "ab") as file:
            room = self._max_bytes - file.tell()
            taken: list[bytes] = []
            for piece in pieces:
                if len(piece) > room and (taken or file.tell()):
                    break
                taken.append(piece)
                room -= len(piece)
            file.write(b"".join(taken))
        if not taken or len(taken) < len(pieces):
            self._rotate()
        return len(taken)

    def _rotate(self) -> None:
        self._numbered(self._files - 1).unlink(missing_ok=True)
        for number in range(self._files - 2, -1, -1):
            if self._numbered(number).exists():
                self._numbered(number).replace(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path
