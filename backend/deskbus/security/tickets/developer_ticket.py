"""The developer ticket of a headless backend: a file that only this user can read."""

import os
import secrets
from pathlib import Path

from deskbus.storage import durable_files

FILE_NAME = "developer.ticket"
DEVELOPER_APP = "deskbus.developer"


class DeveloperTicket:
    """`text` lies in a file in `folder` between `write` and `remove`.

    Unlike an app's ticket it is good for any number of connections, each a client of its own.
    """

    def __init__(self, folder: Path) -> None:
        self.text = secrets.token_urlsafe(32)
        self._path = folder / FILE_NAME

    def write(self) -> None:
        """Renamed when whole, so that nobody reads half a ticket; raises `OSError`."""
        unfinished = self._path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.text)
        durable_files.replace(unfinished, self._path)

    def write_again(self) -> None:
        """Where somebody removed it; where its folder is gone too, later."""
        if self._path.parent.is_dir() and not self._path.exists():
            self.write()

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
