"""The shell as the services see it."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from deskbus.ui.shell import TELL_AGAIN_AFTER_S, TOLD_AT_ONCE, Shell
from deskbus_protocol.errors import NOT_FOUND, TIMEOUT, UNAVAILABLE, DeskbusError, ErrorKind


class Peer:
    """Answers every call with the same error, and counts them."""

    def __init__(self, kind: ErrorKind) -> None:
        self.kind = kind
        self.calls = 0
        self.slow = False
        self.told: list[object] = []

    async def call(self, *_: Any, **__: Any) -> Any:
        self.calls += 1
        raise DeskbusError(self.kind)

    def notify(self, method: str, params: object) -> None:
        self.told.append(params)


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


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.01)


async def test_changes_are_told_at_once_until_they_come_too_often(anyio_backend: str) -> None:
    shell, peer = Shell(), Peer(TIMEOUT)
    shell.connect(peer)
    for number in range(50_000):
        shell.tell("apps.changed", "noisy", number)
    shell.tell("apps.changed", "quiet", "now")
    assert peer.told == [*range(TOLD_AT_ONCE), "now"]
    await until(lambda: len(peer.told) > TOLD_AT_ONCE + 1)
    assert peer.told[-1] == 49_999


async def test_a_shell_that_does_not_read_is_told_the_latest_once_it_does(
    anyio_backend: str,
) -> None:
    shell, peer = Shell(), Peer(TIMEOUT)
    shell.connect(peer)
    peer.slow = True
    for number in range(1_000):
        shell.tell("health.changed", "bus", number)
    assert peer.told == []
    peer.slow = False
    await until(lambda: peer.told == [999])


async def test_nothing_is_told_to_a_shell_that_came_later(anyio_backend: str) -> None:
    shell, peer, other = Shell(), Peer(TIMEOUT), Peer(TIMEOUT)
    shell.connect(peer)
    peer.slow = True
    shell.tell("health.changed", "bus", 1)
    shell.disconnect(peer)
    shell.connect(other)
    shell.tell("health.changed", "bus", 2)
    peer.slow = False
    await anyio.sleep(2 * TELL_AGAIN_AFTER_S)
    assert (peer.told, other.told) == ([], [2])
