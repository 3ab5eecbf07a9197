"""The developer ticket of a headless backend: a file that only this user can read."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskbus.storage import disk

FILE_NAME = "developer.ticket"
DEVELOPER_APP = "deskbus.developer"


@contextmanager
def developer_ticket(folder: Path) -> Iterator[str]:
    """Writes a fresh ticket into `folder` for the length of a `with` block; it is its value.

    Unlike an app's it is good for any number of connections, each a client of its own.
    """
    path = folder / FILE_NAME
    ticket = secrets.token_urlsafe(32)
    # Renamed when whole, so that nobody reads half a ticket.
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(ticket)
    disk.replace(unfinished, path)
    try:
        yield ticket
    finally:
        path.unlink(missing_ok=True)
