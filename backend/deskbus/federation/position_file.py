"""PositionFile: the positions up to which log and stream were exchanged; it survives crashes."""

from pathlib import Path
from typing import Literal

import msgspec
import structlog

from deskbus.storage import durable_files
from deskbus.storage.newer_format import NewerFormatError, refuse_newer

FILE_NAME = "federation.json"

log = structlog.get_logger()


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Positions count the messages of our log, seqs those of the stream with that identity.

    Everything before `sent` is with JetStream. Everything up to `taken` is in our log. The messages
    of the stream after that are at `position` or later in it.
    """

    version: Literal[1] = 1
    sent: int = 0
    stream: str = ""
    taken: int = 0
    position: int = 0


class PositionFile:
    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def load(self, log_position: int) -> Position:
        """The saved position; at the first start the present end of our log.

        A file that can't be read counts as the beginning: to send twice is better than not at all.
        Raises `NewerFormatError`.
        """
        try:
            content = self._path.read_bytes()
            refuse_newer(content, Position().version, "the federation's place")
            place = msgspec.json.decode(content, type=Position)
        except FileNotFoundError:
            return Position(sent=log_position, position=log_position)
        except NewerFormatError:
            raise
        except (OSError, msgspec.MsgspecError) as error:
            log.error("federation.bookmark_unreadable", reason=type(error).__name__)  # noqa: TRY400
            return Position()
        if max(place.sent, place.position) > log_position:
            # The log is another one than it was: nothing of this one has been sent.
            return msgspec.structs.replace(place, sent=0, position=0)
        return place

    def save(self, place: Position) -> None:
        """Blocks until the file is on disk, whole; raises `OSError`."""
        durable_files.write_whole(self._path, msgspec.json.encode(place))
