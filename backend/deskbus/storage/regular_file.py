"""Files that a person names, where anything may be: a pipe that nobody writes to, a device."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 8 * 1024 * 1024
"""Limit of handwritten files: configurations, manifests, directories of apps."""


def open_regular_file(path: Path) -> BinaryIO:
    """Raises `OSError`, also for what is no ordinary file: to read that may never end."""
    # Without waiting: a pipe would keep whoever opens it for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.ESPIPE, "It is no ordinary file", str(path))


def read_regular_file(path: Path, limit_bytes: int = MAX_BYTES) -> bytes:
    """Raises `OSError`, also for a file of more than `limit_bytes`."""
    with open_regular_file(path) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise OSError(errno.EFBIG, f"It is larger than {limit_bytes:,} bytes", str(path))
    return content
