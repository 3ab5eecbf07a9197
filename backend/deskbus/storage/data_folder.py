"""The data folder, which one backend at a time has."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_NAME = "backend.lock"
MAX_PID_BYTES = 20


class AlreadyRunningError(Exception):
    """Another backend has the folder; the message names its process id."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes the folder, and has it to itself for the length of a `with` block.

    The lock ends with the process, however that ends. Raises `AlreadyRunningError`, `OSError`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sys.platform == "win32":
        # The pipe's name, which is the folder's, can be taken once.
        yield
    else:
        import fcntl

        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.read(descriptor, MAX_PID_BYTES).decode("ascii", "replace").strip()
                known = f" (pid {pid})" if pid else ""
                words = f"a backend{known} already runs on {folder}"
                raise AlreadyRunningError(words) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)
