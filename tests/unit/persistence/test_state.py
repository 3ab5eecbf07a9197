"""The state of the log is told in plain words."""

import errno
from pathlib import Path

import pytest

from deskbus.persistence.state import PersistenceState, degraded, reason_of
from deskbus.storage.folder_lock import FolderBusyError


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (OSError(errno.EROFS, "x"), "the disk is read-only"),
        (OSError(errno.EIO, "x"), "the disk reports errors"),
        (PermissionError(errno.EACCES, "x"), "the folder can't be written to"),
        (OSError(errno.EMFILE, "x"), "the files can't be written"),
        (FolderBusyError(errno.EAGAIN, Path("x")), "another process writes to the folder"),
        (ValueError("x"), "the messages can't be written"),
    ],
)
def test_an_error_has_a_reason_in_plain_words(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_the_detail_tells_what_waits_and_what_is_lost() -> None:
    assert degraded("the disk is full", 5, 0) == PersistenceState(
        "degraded", "the disk is full; 5 messages wait in memory"
    )
    assert degraded("the disk is full", 5, 2).detail.endswith("in memory, 2 are lost")
