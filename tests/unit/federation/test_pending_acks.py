"""Confirmations of JetStream: all of them, in any order, or a clear failure."""

import anyio
import pytest

from deskbus.federation.nats_port import NatsPortError
from deskbus.federation.pending_acks import PendingAcks

STORED = b'{"stream":"deskbus","seq":1}'


async def test_it_waits_until_everything_is_confirmed() -> None:
    acks = PendingAcks()
    numbers = [str(acks.expect()) for _ in range(3)]
    done = anyio.Event()

    async def wait() -> None:
        await acks.all(5)
        done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        for number in reversed(numbers):
            await anyio.wait_all_tasks_blocked()
            assert not done.is_set()
            acks.settle(number, STORED)
        with anyio.fail_after(20):
            await done.wait()


async def test_nothing_given_is_confirmed_at_once() -> None:
    await PendingAcks().all(5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b'{"error":{"code":503,"description":"maximum bytes exceeded"}}',
            "maximum bytes exceeded",
        ),
        (b'{"error":{"code":400}}', "it refused a message"),
        (b"", "it is not available"),
    ],
)
async def test_a_refusal_ends_the_wait(answer: bytes, words: str) -> None:
    acks = PendingAcks()
    first, _ = acks.expect(), acks.expect()
    acks.settle(str(first), answer)
    with pytest.raises(NatsPortError, match=words):
        await acks.all(5)
    await acks.all(5)


async def test_silence_is_a_failure() -> None:
    acks = PendingAcks()
    acks.expect()
    with pytest.raises(NatsPortError, match="does not answer"):
        await acks.all(0.01)


async def test_answers_to_nothing_are_ignored() -> None:
    acks = PendingAcks()
    number = acks.expect()
    for stranger in ("", "x", "99", "²"):
        acks.settle(stranger, b"")
    acks.settle(str(number), STORED)
    acks.settle(str(number), b"")
    await acks.all(5)
