"""Faults of the machine as POSIX systems offer them: limits of this process, and signals."""

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

assert sys.platform != "win32"

import resource  # noqa: E402  # Windows has no such module

STATM = Path("/proc/self/statm")

LARGEST_FILE_BYTES = 4096
"""The size beyond which no file grows on a full disk: nothing that is open here is so small."""

HEADROOM_BYTES = 4 * 1024 * 1024
"""Memory that can still be had when there is none: as much as Python's own error needs."""


def no_descriptors() -> AbstractAsyncContextManager[None]:
    """Exhausts descriptors: nothing can be opened, while everything that is open can still be
    waited for.
    """
    return _limited(resource.RLIMIT_NOFILE, _lowest_free_descriptor)


def disk_full() -> AbstractAsyncContextManager[None]:
    return _limited(resource.RLIMIT_FSIZE, lambda: LARGEST_FILE_BYTES)


def no_memory() -> AbstractAsyncContextManager[None]:
    """Exhausts memory. Needs Linux, which alone tells how much is mapped."""
    return _limited(resource.RLIMIT_AS, _mapped_bytes)


@asynccontextmanager
async def stall(parent: int) -> AsyncIterator[None]:
    os.kill(parent, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(parent, signal.SIGCONT)


@asynccontextmanager
async def _limited(limit: int, to: Callable[[], int]) -> AsyncIterator[None]:
    """Lowers a soft limit of this process (POSIX, setrlimit) for as long as the block takes."""
    soft, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (to(), hard))
    try:
        yield
    finally:
        resource.setrlimit(limit, (soft, hard))


def _lowest_free_descriptor() -> int:
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    return free


def _mapped_bytes() -> int:
    pages = int(STATM.read_text("ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE") + HEADROOM_BYTES
