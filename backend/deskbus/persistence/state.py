"""Whether messages reach the disk, in words for a person."""

import errno
from typing import Literal, NamedTuple

from deskbus.persistence.batch_sealer import SealingError
from deskbus.storage.folder_lock import FolderBusyError
from deskbus.storage.newer_format import NewerFormatError

TOO_SLOW = "the disk is too slow"
NO_ANSWER = "the disk does not answer"

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk reports errors",
    errno.EACCES: "the folder can't be written to",
    errno.EPERM: "the folder can't be written to",
}


class PersistenceState(NamedTuple):
    """`detail` is empty while nothing is wrong."""

    status: Literal["ok", "degraded"]
    detail: str = ""


def reason_of(error: BaseException) -> str:
    if isinstance(error, FolderBusyError):
        return "another process writes to the folder"
    if isinstance(error, NewerFormatError):
        return error.words
    if isinstance(error, SealingError):
        return f"sensitive topics can't be encrypted, {error}"
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0, "the files can't be written")
    return "the messages can't be written"


def degraded(reason: str, held: int, dropped: int) -> PersistenceState:
    detail = f"{reason}; {held} messages wait in memory"
    if dropped:
        detail += f", {dropped} are lost"
    return PersistenceState("degraded", detail)


def unsealed(why: str, *, waiting: int, topics: int, refuse: bool, refused: int) -> str:
    """The fate of sensitive messages while they can't be encrypted."""
    words = f"sensitive topics can't be encrypted, {why or 'the vault is being opened'}"
    if waiting:
        words += f"; {waiting} messages of {topics} topics wait in memory"
        words += ", and are lost if the backend ends before"
    if refuse:
        words += "; new ones are refused"
    if refused:
        words += f"; {refused} were refused"
    return words
