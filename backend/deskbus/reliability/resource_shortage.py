"""ResourceShortage: operations that failed for want of descriptors, memory, processes or
threads.
"""

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deskbus.languages.health_words import phrase, told
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.health import ComponentHealth

DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
NUMBERS = DESCRIPTORS | {errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN}

TELL_FOR_S = 60.0
"""How long after the last one health still speaks of it."""


def is_shortage(error: Exception) -> bool:
    """Whether this says that descriptors, memory, processes or threads are used up."""
    if isinstance(error, OSError):
        return error.errno in NUMBERS
    return isinstance(error, MemoryError) or "start new thread" in str(error)


def refusal(error: Exception) -> DeskbusError:
    """The error for a caller whose call failed for lack of resources."""
    if isinstance(error, OSError) and error.errno in DESCRIPTORS:
        return DeskbusError(
            UNAVAILABLE,
            "The backend has no file descriptors left.",
            action="Close clients or apps, or raise the limit of open files (ulimit -n).",
        )
    return DeskbusError(
        UNAVAILABLE,
        "The machine has no memory, processes or threads left for this.",
        action="Close apps, then try again.",
    )


class ResourceShortage:
    """Counts what was skipped, by name, for health."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._skipped: Counter[str] = Counter()
        self._last_s: float | None = None

    def note(self, skipped: str) -> None:
        self._skipped[skipped] += 1
        self._last_s = self._monotonic_s()

    def health(self) -> ComponentHealth:
        if not self._skipped:
            return ComponentHealth(status="ok")
        words = ", ".join(f"{count} × {name}" for name, count in sorted(self._skipped.items()))
        recent = self._last_s is not None and self._monotonic_s() - self._last_s < TELL_FOR_S
        return told("degraded" if recent else "ok", phrase("skipped", words=words))


class SpareDescriptors:
    """A few that are held open, to be given up for the moment in which there are no others."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._held: list[int] = []
        self._hold()

    @contextmanager
    def lent(self) -> Iterator[None]:
        for descriptor in self._held:
            os.close(descriptor)
        self._held = []
        try:
            yield
        finally:
            self._hold()

    def close(self) -> None:
        self._count = 0
        with self.lent():
            pass

    def _hold(self) -> None:
        while len(self._held) < self._count:
            try:
                self._held.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                return
