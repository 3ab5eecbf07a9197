"""The words in which a person is told of a failure."""

import errno

import pytest

from deskbus.commands.terminal.failures import FAILED, tell


@pytest.mark.parametrize(
    ("error", "cause", "action"),
    [
        (MemoryError(), "there is not enough memory", "ulimit -v"),
        (OSError(errno.EMFILE, "Too many open files", "log"), "log: Too many", "ulimit -n"),
        (OSError(errno.EFBIG, "File too large"), "File too large", "ulimit -f"),
        (OSError(errno.ESPIPE, "It is no ordinary file", "a"), "a: It is no", "an ordinary file"),
    ],
)
def test_what_the_machine_refuses_is_no_fault_of_the_program(
    error: Exception, cause: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(ExceptionGroup("of tasks", [error])) == FAILED
    told = capsys.readouterr().err
    assert cause in told
    assert action in told
    assert "fault in deskbus" not in told
