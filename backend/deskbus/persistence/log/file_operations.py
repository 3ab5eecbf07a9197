"""The operations that change the disk, in one place so that tests can let them fail."""

import contextlib
import os
from pathlib import Path

from deskbus.storage import durable_files
from deskbus.storage.folder_lock import FolderLock

_BINARY = getattr(os, "O_BINARY", 0)


class Files:
    """Every method raises `OSError`; descriptors are the caller's to close."""

    def make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def lock_folder(self, lock: FolderLock) -> None:
        """Keeps other writers out; raises `FolderBusyError`."""
        lock.acquire()

    def sync_folder(self, lock: FolderLock) -> None:
        lock.sync()

    def create(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)

    def open(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | _BINARY)

    def write_at(self, descriptor: int, offset: int, data: bytearray) -> None:
        """Writes all of `data`; after an error some of it may have been written."""
        os.lseek(descriptor, offset, os.SEEK_SET)
        written = os.write(descriptor, data)
        while written < len(data):
            with memoryview(data) as rest:
                written += os.write(descriptor, rest[written:])

    def sync(self, descriptor: int) -> None:
        """Returns when what was written is on the disk itself."""
        durable_files.sync(descriptor)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        os.ftruncate(descriptor, size_bytes)

    def remove(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
