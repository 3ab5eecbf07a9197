"""The state of the log is told in plain words."""

import errno
from pathlib import Path

import pytest

from deskbus.languages.health_words import english_words, phrase
from deskbus.persistence.state import degraded, reason_of
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
    assert english_words(reason_of(error)) == reason


def test_the_detail_tells_what_waits_and_what_is_lost() -> None:
    full = phrase("disk-full")
    assert degraded(full, 5, 0).detail == "the disk is full; 5 messages wait in memory"
    assert degraded(full, 1, 2).detail.endswith("; 1 message waits in memory; 2 are lost")
