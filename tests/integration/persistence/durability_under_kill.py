"""Kills the backend with SIGKILL while it publishes durably, and looks at what is left.

The log of one data folder goes through all rounds, so damage that one leaves hurts the next.
"""

import random
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec

from deskbus_protocol.bus import PublishResult
from deskbus_protocol.client import Client, Message
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import start_shell

CONFIG = '[persistence]\ntopics = ["orders.#"]\n'
TOPICS = ("orders.fx", "orders.equity")
WINDOW = 100
LONGEST_LIFE_S = 0.6


class LossError(Exception):
    """Something that was acknowledged is not there, or something is there that never was."""


class Outcome(NamedTuple):
    """Counts of the messages that were acknowledged in a round, and that are in the log."""

    acknowledged: int
    stored: int


class CrashTest:
    """Keeps what was acknowledged: topic and seq, with the payload that must be found there."""

    def __init__(self, data_dir: Path, chance: random.Random) -> None:
        self._data_dir = data_dir
        self._chance = chance
        self._acknowledged: dict[tuple[str, int], str] = {}
        self._numbers = 0

    async def round(self) -> Outcome:
        """One life of the backend and one look after it; raises `LossError`."""
        before = len(self._acknowledged)
        async with start_shell(self._data_dir, config=CONFIG, consent="allow") as shell:
            async with (
                shell.app("desk.feed", honest=False) as feed,
                anyio.create_task_group() as tasks,
            ):
                for _ in range(WINDOW):
                    tasks.start_soon(self._publish, feed)
                await anyio.sleep(self._chance.uniform(0.01, LONGEST_LIFE_S))
                shell.process.kill()
                await shell.process.wait()
        stored = await self._check()
        return Outcome(len(self._acknowledged) - before, stored)

    async def _publish(self, feed: Client) -> None:
        try:
            while True:
                self._numbers += 1
                text = f"{self._numbers}:{'x' * self._chance.randrange(400)}"
                topic = self._chance.choice(TOPICS)
                result: PublishResult = await feed.publish(topic, text, durable=True, confirm=True)
                self._acknowledged[topic, result.seq] = text
        except DeskbusError:
            return

    async def _check(self) -> int:
        async with start_shell(self._data_dir, config=CONFIG, consent="allow") as shell:
            async with shell.app("desk.reader", honest=False) as reader:
                found = await read_all(reader)
        seen: dict[tuple[str, int], str] = {}
        last: dict[str, int] = {}
        for message in found:
            if message.seq <= last.get(message.topic, 0):
                raise LossError(f"{message.topic} {message.seq} is out of order or there twice")
            last[message.topic] = message.seq
            seen[message.topic, message.seq] = msgspec.json.decode(message.payload, type=str)
        for key, text in self._acknowledged.items():
            if seen.get(key) != text:
                raise LossError(
                    f"{key} was acknowledged and is {'other' if key in seen else 'gone'}"
                )
        return len(found)


async def read_all(reader: Client) -> list[Message]:
    async with reader.listen("orders.#") as messages:
        count = await reader.replay("orders.#")
        return [await messages.receive() for _ in range(count)]
