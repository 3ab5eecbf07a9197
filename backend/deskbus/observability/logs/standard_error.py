"""Standard error that never blocks the backend, also where nobody reads it.

Descriptor 2, and 1 with it where that is no longer the wire, lead into a pipe of our own, which a
thread empties at once: what Python, a library or native code writes there can't wait. The lines
that it reads, and the log's own, go into a bounded buffer for another thread, the only one to write
to the real standard error, and that may wait. Lines without room are dropped and counted.
"""

import atexit
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from deskbus.languages.health_words import phrase, told
from deskbus_protocol.health import ComponentHealth

WAITING_BYTES = 1024 * 1024
"""The limit of output that waits for a slow reader; beyond it, output is dropped."""

READ_BYTES = 65_536
LAST_WRITES_S = 0.5
"""How long the last lines are waited for at the end."""

TELL_FOR_S = 60.0
"""How long after the last drop health still speaks of it."""


class StandardError:
    """`write` and `flush` make it a file for the log; it may be called by every thread."""

    def __init__(
        self,
        target: int,
        *,
        waiting_bytes: int = WAITING_BYTES,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`target` is the descriptor that is written to."""
        self._target = target
        self._waiting_bytes = waiting_bytes
        self._monotonic_s = monotonic_s
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._waiting_size = 0
        self._under_way = False
        self._gone = False
        self._dropped = 0
        self._unreported = 0
        self._dropped_at_s: float | None = None
        threading.Thread(target=self._write_for_ever, name="stderr", daemon=True).start()

    @property
    def dropped(self) -> int:
        """Pieces, mostly lines, that nobody will read."""
        return self._dropped

    def isatty(self) -> bool:
        return os.isatty(self._target)

    def write(self, text: str) -> int:
        """Takes a piece of the log; returns how many characters it has, kept or dropped."""
        self.put(text.encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """Does nothing: writes never wait."""

    def put(self, piece: bytes) -> None:
        with self._changed:
            if self._gone or self._waiting_size + len(piece) > self._waiting_bytes:
                self._dropped += 1
                self._unreported += 1
                self._dropped_at_s = self._monotonic_s()
                return
            if self._unreported:
                note = b"[deskbus: %d pieces of the log were dropped]\n" % self._unreported
                self._unreported = 0
                self._append(note)
            self._append(piece)
            self._changed.notify_all()

    def drain(self, within_s: float = LAST_WRITES_S) -> bool:
        """Waits until all is written; False where the reader takes too long."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._gone or not (self._waiting or self._under_way), within_s
            )

    def health(self) -> ComponentHealth:
        words = phrase("log-dropped", count=self._dropped)
        if self._gone:
            return told("degraded", phrase("log-unread"), words)
        at_s = self._dropped_at_s
        if at_s is not None and self._monotonic_s() - at_s < TELL_FOR_S:
            return told("degraded", words, phrase("log-slow"))
        return told("ok", words)

    def _append(self, piece: bytes) -> None:
        self._waiting.append(piece)
        self._waiting_size += len(piece)

    def _write_for_ever(self) -> None:
        while not self._gone:
            with self._changed:
                self._under_way = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                pieces = b"".join(self._waiting)
                self._waiting.clear()
                self._waiting_size, self._under_way = 0, True
            try:
                _write_all(self._target, pieces)
            except OSError:
                with self._changed:
                    self._gone = True
                    self._dropped += 1 + len(self._waiting)
                    self._waiting.clear()
                    self._changed.notify_all()


def take_standard_error(*, and_output: bool) -> StandardError:
    """Puts a `StandardError` behind descriptor 2 and `sys.stderr`; with `and_output` behind 1 too.

    At the interpreter's end, what is still to be written has `LAST_WRITES_S`.
    """
    target = os.dup(2)
    taken = StandardError(target)
    reading, writing = os.pipe()
    numbers = (1, 2) if and_output else (2,)
    for number in numbers:
        os.dup2(writing, number)
    os.close(writing)
    sys.stderr = _text(2)
    if and_output:
        sys.stdout = _text(1)
    forwarder = threading.Thread(
        target=_pass_on, args=(reading, taken), name="forwarder", daemon=True
    )
    forwarder.start()

    def end() -> None:
        sys.stderr.flush()
        null = os.open(os.devnull, os.O_WRONLY)
        for number in numbers:
            os.dup2(null, number)
        # A child may still hold the other end.
        forwarder.join(LAST_WRITES_S)
        taken.drain()

    atexit.register(end)
    return taken


def _text(number: int) -> TextIO:
    return open(number, "w", buffering=1, errors="backslashreplace", closefd=False)


def _pass_on(reading: int, taken: StandardError) -> None:
    while piece := os.read(reading, READ_BYTES):
        taken.put(piece)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
