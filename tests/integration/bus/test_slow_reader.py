"""A reader that does not read loses its own messages alone, and is told exactly which."""

import json
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from anyio import to_thread

from deskbus.transport.outbox import MAX_QUEUED_BYTES
from deskbus_protocol.client import Client
from tests.integration.bus.crowdwire import Wire
from tests.integration.shell import LIMIT_S, TestShell, start_shell
from tests.support.configuration import app, configuration

TOPIC = "prices.EURUSD"
TEXT = "x" * 65_536
MESSAGES = 1_500
"""98 MB: more than the outbox's 64 MiB, and than what its sockets hold on top."""
LAST = "the last"

CONFIG = configuration(
    app("desk.feed", grants=["messaging.write prices.#"]),
    app("desk.slow", grants=["messaging.read prices.#"]),
    app("desk.quick", grants=["messaging.read prices.#"]),
)


class SlowWire(Wire):
    """Reads nothing until it is told to."""

    def read_until(self, payload: object) -> list[dict[str, Any]]:
        """All that waits for it, up to a message with this payload."""
        frames: list[dict[str, Any]] = []
        held = bytearray(self._held)
        while True:
            *lines, rest = held.split(b"\n")
            for line in lines:
                frames.append(msgspec.json.decode(line))
                if frames[-1]["params"].get("payload") == payload:
                    return frames
            held = bytearray(rest)
            data = self._socket.recv(1 << 20)
            assert data, "the backend closed the link"
            held += data


async def publish_all(feed: Client, quick: Client) -> list[int]:
    """Publishes numbered messages; returns the numbers that the quick reader got meanwhile."""
    got: list[int] = []

    async def listen() -> None:
        async with quick.subscribe(TOPIC) as messages:
            listening.set()
            async for message in messages:
                got.append(msgspec.json.decode(message.payload)[0])
                if len(got) == MESSAGES:
                    return

    listening = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await listening.wait()
        for number in range(MESSAGES - 1):
            await feed.publish(TOPIC, [number, TEXT])
        await feed.publish(TOPIC, [MESSAGES - 1, TEXT], confirm=True)
    return got


@pytest.mark.slow
@pytest.mark.requirement("1.3")
@pytest.mark.requirement("2.4")
async def test_it_loses_the_oldest_and_is_told_which_while_all_others_get_everything(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG) as shell:
        ticket = await shell.ticket("desk.slow")
        wire = await to_thread.run_sync(SlowWire, Path(shell.hello.pipe), "desk.slow", ticket)
        try:
            await to_thread.run_sync(wire.call, "bus.subscribe", {"pattern": "prices.#"})
            with anyio.fail_after(LIMIT_S):
                async with (
                    shell.app("desk.feed", honest=False) as feed,
                    shell.app("desk.quick", honest=False) as quick,
                ):
                    assert await publish_all(feed, quick) == list(range(MESSAGES))
                    assert (await statistics(shell))["slowReaders"] == 1
                    health = await shell.client.call("health.get", {}, result=dict)
                    assert "slow" in json.dumps(health)
                    await feed.publish(TOPIC, LAST, confirm=True)
                    frames = await to_thread.run_sync(wire.read_until, LAST)
                    assert (await statistics(shell))["slowReaders"] == 0
        finally:
            wire.close()
    check(frames)


def check(frames: list[dict[str, Any]]) -> None:
    """Seqs that came and seqs told as gone are all of them, in order, and none twice."""
    expected, gone = 1, 0
    for frame in frames:
        params = frame["params"]
        if frame["method"] == "bus.gap":
            assert (params["topic"], params["first"]) == (TOPIC, expected)
            gone += params["last"] - params["first"] + 1
            expected = params["last"] + 1
        elif frame["method"] == "bus.message":
            assert params["seq"] == expected
            expected += 1
    assert expected == MESSAGES + 2
    assert gone > 0
    assert (MESSAGES - gone) * len(TEXT) > 0.9 * MAX_QUEUED_BYTES


async def statistics(shell: TestShell) -> dict[str, Any]:
    stats: dict[str, Any] = await shell.client.call("bus.stats", {}, result=dict)
    return stats
