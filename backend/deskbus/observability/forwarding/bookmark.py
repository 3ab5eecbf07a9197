"""ForwardBookmark: the last audit record that a destination has; it survives crashes."""

from pathlib import Path
from typing import Literal

import msgspec
import structlog

from deskbus.storage import durable_files
from deskbus.storage.newer_format import NewerFormatError, refuse_newer

log = structlog.get_logger()


class ForwardedUpTo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Records up to `seq` need not be sent again; -1 for none."""

    version: Literal[1] = 1
    seq: int = -1


class ForwardBookmark:
    """Blocks on the disk."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.json"

    def load(self) -> int | None:
        """Returns the seq; None where there is none yet. An unreadable file counts as the
        beginning, since sending twice is better than not at all. Raises `NewerFormatError`.
        """
        try:
            content = self._path.read_bytes()
            refuse_newer(content, ForwardedUpTo().version, "the place of a forwarding")
            return msgspec.json.decode(content, type=ForwardedUpTo).seq
        except FileNotFoundError:
            return None
        except NewerFormatError:
            raise
        except (OSError, msgspec.MsgspecError) as error:
            log.error("forward.bookmark_unreadable", reason=type(error).__name__)  # noqa: TRY400
            return -1

    def save(self, seq: int) -> None:
        """Returns when it is on the disk, whole; raises `OSError`."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable_files.write_whole(self._path, msgspec.json.encode(ForwardedUpTo(seq=seq)))
