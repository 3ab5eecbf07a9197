"""Every timed promise of the bus, with the wall clock stepped under it in the real backend.

The steps are libfaketime's, which leaves the monotonic clocks alone, as a person who sets the
clock does.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream

from deskbus_protocol.bus import GapParams, Mode
from deskbus_protocol.client import Message, SteadyClient, connect, open_session
from deskbus_protocol.history import LogStats
from tests.conftest import absent
from tests.integration.shell import LIMIT_S, TestShell, start_shell

STEPS_S = [-3600, 3600, -40 * 86_400, 40 * 86_400]
TTL_MS = 4_000
"""Ends between the second redelivery, which is due after 3 s, and the last."""

CONFIG = """
[persistence]
topics = ["kept.#"]
"""

Step = Callable[[int], None]

pytestmark = pytest.mark.requirement("W")


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    """Sets the wall clock of backends that start from here on, or already run."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        absent("there is no libfaketime here")
    file = tmp_path / "clock"
    file.write_text("+0")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("FAKETIME_TIMESTAMP_FILE", str(file))
    monkeypatch.setenv("FAKETIME_NO_CACHE", "1")
    monkeypatch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    return lambda by_s: replace(file, f"{by_s:+d}")


def replace(file: Path, content: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(content)
    fresh.replace(file)


def number(message: Message) -> int:
    return int(msgspec.json.decode(message.payload))


async def take(stream: MemoryObjectReceiveStream[Message], count: int) -> list[int]:
    """The next messages that come for the first time."""
    taken: list[int] = []
    with anyio.fail_after(LIMIT_S):
        while len(taken) < count:
            message = await stream.receive()
            if not message.redelivery:
                taken.append(number(message))
    return taken


class Reader:
    """A client that outlives the backend; `shell` is the one that runs now."""

    def __init__(self, shell: TestShell) -> None:
        self.shell = shell
        self.gaps: list[GapParams] = []
        self.client = SteadyClient(shell.hello.pipe, "desk.reader", self._ticket)
        self.client.on_gap = self.gaps.append

    async def _ticket(self) -> str:
        return await self.shell.ticket("desk.reader")


@asynccontextmanager
async def reading(shell: TestShell) -> AsyncIterator[Reader]:
    reader = Reader(shell)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader.client.run)
        yield reader
        await reader.client.close()
        tasks.cancel_scope.cancel()


async def publish(
    shell: TestShell, *numbers: int, topic: str = "kept.a", **options: object
) -> None:
    async with shell.app("desk.feed") as feed:
        for each in numbers:
            await feed.publish(topic, each, **options, confirm=True)


@pytest.mark.parametrize("step_s", STEPS_S)
async def test_a_client_goes_on_after_a_restart_with_nothing_lost_and_nothing_twice(
    step: Step, step_s: int, tmp_path: Path
) -> None:
    mode: Mode = "live" if abs(step_s) == 3600 else "acknowledged"
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG, consent="allow") as first:
        await publish(first, 1, durable=True)
        async with reading(first) as reader:
            with anyio.fail_after(LIMIT_S):
                while reader.client.state != "open":
                    await anyio.sleep(0.01)
            async with reader.client.subscribe("kept.#", mode=mode) as messages:
                await publish(first, 2, durable=True)
                await publish(first, 21, topic="kept.other", durable=True)
                assert await take(messages, 2) == [2, 21]
                step(step_s)
                await publish(first, 3, durable=True)
                assert await take(messages, 1) == [3]
                first.process.kill()
                await first.process.wait()
                async with start_shell(data, config=CONFIG, consent="allow") as second:
                    await publish(second, 4, durable=True)
                    await publish(second, 31, topic="kept.new", durable=True)
                    reader.shell = second
                    reader.client._pipe = second.hello.pipe
                    assert await take(messages, 2) == [4, 31]
                    await publish(second, 5)
                    assert await take(messages, 1) == [5]
    assert reader.gaps == []


async def dead_letters(shell: TestShell) -> list[dict[str, Any]]:
    answer = await shell.client.call("bus.deadLetters", {}, result=dict)
    return list(answer["letters"])


async def test_a_message_is_delivered_again_and_expires_when_it_is_due(
    step: Step, tmp_path: Path
) -> None:
    async with (
        start_shell(tmp_path / "data", config=CONFIG, consent="allow") as shell,
        shell.app("desk.reader") as reader,
        reader.listen("talk.#") as messages,
    ):
        await reader.call("bus.subscribe", {"pattern": "talk.#", "mode": "acknowledged"})
        for count, step_s in enumerate(STEPS_S, 1):
            await publish(shell, count, topic="talk.a", ttl=TTL_MS)
            assert await take(messages, 1) == [count]
            step(step_s)
            with anyio.fail_after(LIMIT_S):
                assert (await messages.receive()).redelivery == 1, step_s
            with anyio.fail_after(LIMIT_S):
                while len(letters := await dead_letters(shell)) < count:
                    await anyio.sleep(0.05)
            assert [letter["reason"] for letter in letters] == ["expired"] * count, step_s


async def test_a_client_that_was_away_for_a_moment_takes_up_its_session(
    step: Step, tmp_path: Path
) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG, consent="allow") as shell:
        for step_s in STEPS_S:
            await away_while_the_clock_is_set(shell, step, step_s)


async def away_while_the_clock_is_set(shell: TestShell, step: Step, step_s: int) -> None:
    ticket = await shell.ticket("desk.reader")
    async with connect(shell.hello.pipe) as client:
        opened = await open_session(client, ticket, "desk.reader")
        await client.call("bus.subscribe", {"pattern": "talk.#"})
    await publish(shell, 1, topic="talk.a", ttl=60_000)
    step(step_s)
    await publish(shell, 2, topic="talk.a", ttl=60_000)
    async with connect(shell.hello.pipe) as back, back.listen("talk.#") as messages:
        answer = await back.call(
            "session.resume",
            {"resumeToken": opened.resume_token, "protocolVersion": "1.0", "lastSeqs": {}},
            result=dict,
        )
        assert answer["resumed"] is True
        assert await take(messages, 2) == [1, 2]


async def test_a_start_under_another_clock_deletes_nothing(step: Step, tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG, consent="allow") as first:
        await publish(first, 1, 2, durable=True)
    # Files that a start deletes, or its end, show at the next one; the last clock has two.
    for step_s in (*STEPS_S, STEPS_S[-1]):
        step(step_s)
        async with start_shell(data, config=CONFIG, consent="allow") as later:
            stats = await later.client.call("bus.logStats", result=LogStats)
            assert stats.figures["log"]["messages"] == 2, step_s
