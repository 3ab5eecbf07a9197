"""Whether messages reach the disk, in words for a person."""

import errno
from collections.abc import Iterator
from typing import Literal, NamedTuple

from deskbus.languages.health_words import english_words, other, phrase
from deskbus.persistence.batch_sealer import SealingError
from deskbus.storage.folder_lock import FolderBusyError
from deskbus.storage.newer_format import NewerFormatError
from deskbus_protocol.health import Phrase

TOO_SLOW = phrase("disk-slow")
NO_ANSWER = phrase("disk-silent")

_REASONS = {
    errno.ENOSPC: phrase("disk-full"),
    errno.EDQUOT: phrase("disk-quota"),
    errno.EROFS: phrase("disk-read-only"),
    errno.EIO: phrase("disk-errors"),
    errno.EACCES: phrase("folder-locked"),
    errno.EPERM: phrase("folder-locked"),
}


class PersistenceState(NamedTuple):
    """There is nothing to tell while nothing is wrong."""

    status: Literal["ok", "degraded"]
    phrases: tuple[Phrase, ...] = ()

    @property
    def detail(self) -> str:
        """In English."""
        return english_words(*self.phrases)


def reason_of(error: BaseException) -> Phrase:
    if isinstance(error, FolderBusyError):
        return phrase("folder-busy")
    if isinstance(error, NewerFormatError):
        return other(error.words)
    if isinstance(error, SealingError):
        return phrase("unsealed", words=str(error))
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0, phrase("files-unwritten"))
    return phrase("messages-unwritten")


def degraded(reason: Phrase, held: int, dropped: int) -> PersistenceState:
    waits = phrase("messages-wait", count=held)
    lost = (phrase("messages-lost", count=dropped),) if dropped else ()
    return PersistenceState("degraded", (reason, waits, *lost))


def unsealed(
    why: str, *, waiting: int, topics: int, refuse: bool, refused: int
) -> Iterator[Phrase]:
    """The fate of sensitive messages while they can't be encrypted."""
    yield phrase("unsealed", words=why) if why else phrase("vault-opens")
    if waiting:
        yield phrase("unsealed-wait", count=waiting, topics=topics)
    if refuse:
        yield phrase("unsealed-refuse")
    if refused:
        yield phrase("unsealed-refused", count=refused)
