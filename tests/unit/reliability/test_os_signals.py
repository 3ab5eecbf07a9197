"""Both ways by which signals are received, on this platform: Windows' needs nothing of its own."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

import anyio
import pytest

from deskbus.reliability import os_signals
from deskbus.reliability.os_signals import ENDING, receive_signals

Receive = Callable[..., AbstractContextManager[AsyncIterator[signal.Signals]]]

by_loop: Receive = receive_signals
by_python: Receive = os_signals._receive_by_python


@pytest.mark.parametrize("receive", [by_loop, by_python])
@pytest.mark.parametrize("number", ENDING)
async def test_a_signal_that_ends_the_backend_arrives(
    receive: Receive, number: signal.Signals
) -> None:
    with anyio.fail_after(20), receive(*ENDING) as arrived:
        os.kill(os.getpid(), number)
        assert await anext(arrived) is number


@pytest.mark.parametrize("receive", [by_loop, by_python])
async def test_signals_one_after_the_other_arrive(receive: Receive) -> None:
    with anyio.fail_after(20), receive(*ENDING) as arrived:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
            assert await anext(arrived) is signal.SIGTERM


async def test_the_handler_of_before_is_back_afterwards() -> None:
    taken: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: taken.append(number))
    try:
        with by_python(signal.SIGTERM):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert taken == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
