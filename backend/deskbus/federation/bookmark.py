"""Up to where the log was sent and the stream taken in: a small file that survives crashes."""

import os
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from deskbus.storage import disk

FILE_NAME = "federation.json"

log = structlog.get_logger()


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Positions count the messages of our log, seqs those of the stream with that identity.

    Everything before `sent` is with JetStream. Everything up to `taken` is in our log. What is
    there of the stream after that stands at `position` or later.
    """

    version: Literal[1] = 1
    sent: int = 0
    stream: str = ""
    taken: int = 0
    position: int = 0


class _Version(msgspec.Struct, frozen=True):
    version: int = 0


class NewerPlaceError(OSError):
    """A later version of deskbus wrote the file; it is not replaced."""

    def __init__(self) -> None:
        super().__init__(None, "it was written by a newer deskbus; start that one")


class Bookmark:
    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._newer = False

    def load(self, log_position: int) -> Place:
        """The place that was saved; at the first start that of our log now.

        What can't be read counts as the beginning: to send twice is better than not at all. So does
        what a later version wrote, and is then never saved over.
        """
        try:
            place = msgspec.json.decode(self._path.read_bytes(), type=Place)
        except FileNotFoundError:
            return Place(sent=log_position, position=log_position)
        except (OSError, msgspec.MsgspecError) as error:
            self._newer = self._is_newer()
            log.error("federation.bookmark_unreadable", reason=type(error).__name__)  # noqa: TRY400
            return Place()
        if max(place.sent, place.position) > log_position:
            # The log is another one than it was: nothing of this one has been sent.
            return msgspec.structs.replace(place, sent=0, position=0)
        return place

    def save(self, place: Place) -> None:
        """Blocks until the file is on disk, whole; raises `OSError`, `NewerPlaceError`."""
        if self._newer:
            raise NewerPlaceError
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(place))
            file.flush()
            disk.sync(file.fileno())
        disk.replace(temporary, self._path)
        disk.sync_folder(self._path.parent)

    def _is_newer(self) -> bool:
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_Version)
        except (OSError, msgspec.MsgspecError):
            return False
        return found.version > Place().version
