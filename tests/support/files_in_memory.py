"""A fixture `tmp_path` whose files lie in memory, for tests that write safely at every turn.

To write to a disk safely takes milliseconds, and a test of thousands of kills waits for nothing
else. What a killed process leaves is the same in memory.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 1024**3


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    place = MEMORY if _has_room() else None
    with tempfile.TemporaryDirectory(prefix="deskbus-test-", dir=place) as folder:
        yield Path(folder)


def _has_room() -> bool:
    if not os.access(MEMORY, os.W_OK):
        return False
    there = os.statvfs(MEMORY)
    return there.f_bavail * there.f_frsize >= ENOUGH_BYTES
