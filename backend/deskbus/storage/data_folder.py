"""The data folder, which one backend at a time has."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskbus.storage.folder_lock import FolderLock

LOCK_NAME = "backend.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes the folder, and has it to itself for the length of a `with` block.

    Raises `FolderBusyError`, `OSError`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FolderLock(folder, LOCK_NAME).held():
        yield
