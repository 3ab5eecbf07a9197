"""The shell as the services see it."""

from typing import Any

import pytest

from deskbus.ui.shell import Shell
from deskbus_protocol.errors import NOT_FOUND, TIMEOUT, UNAVAILABLE, DeskbusError, ErrorKind


class Peer:
    """Answers every call with the same error, and counts them."""

    def __init__(self, kind: ErrorKind) -> None:
        self.kind = kind
        self.calls = 0

    async def call(self, *_: Any, **__: Any) -> Any:
        self.calls += 1
        raise DeskbusError(self.kind)

    def notify(self, method: str, params: object) -> None: ...


async def outcome(shell: Shell) -> ErrorKind:
    with pytest.raises(DeskbusError) as failed:
        await shell.call("ui.showDialog", {}, dict, timeout_s=1)
    return failed.value.kind


async def test_without_a_shell_a_call_fails_at_once(anyio_backend: str) -> None:
    assert await outcome(Shell()) is UNAVAILABLE


@pytest.mark.requirement("6.1")
async def test_a_shell_that_does_not_answer_is_left_alone_until_it_comes_back(
    anyio_backend: str,
) -> None:
    shell, silent = Shell(), Peer(TIMEOUT)
    shell.connect(silent)
    assert [await outcome(shell) for _ in range(7)] == [TIMEOUT] * 5 + [UNAVAILABLE] * 2
    assert silent.calls == 5
    fresh = Peer(TIMEOUT)
    shell.connect(fresh)
    assert await outcome(shell) is TIMEOUT


async def test_a_shell_that_answers_with_errors_is_well(anyio_backend: str) -> None:
    shell, sound = Shell(), Peer(NOT_FOUND)
    shell.connect(sound)
    assert {(await outcome(shell)).name for _ in range(10)} == {"not_found"}
    assert sound.calls == 10
