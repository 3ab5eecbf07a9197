"""Backends that a federation joins, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream

from deskbus_protocol.client import Client, Message
from deskbus_protocol.health import ComponentHealth, HealthResult
from tests.integration.federation.natsserver import NatsServer
from tests.integration.shell import TestShell, start_shell

LIMIT_S = 20

Inbox = MemoryObjectReceiveStream[Message]

CONFIG = """
[persistence]
topics = ["orders.#"]

[federation]
name = "{name}"
servers = ["{url}"]
{patterns}
"""

EVERYTHING = 'topics = ["prices.#", "orders.#"]'


def config(server: NatsServer, name: str, patterns: str = EVERYTHING) -> str:
    return CONFIG.format(name=name, url=server.url, patterns=patterns)


@asynccontextmanager
async def machine(
    server: NatsServer, folder: Path, name: str, patterns: str = EVERYTHING
) -> AsyncIterator[TestShell]:
    """A backend of its own that has joined the federation."""
    text = config(server, name, patterns)
    async with start_shell(folder / name, config=text, consent="allow") as shell:
        await until(shell, "ok")
        yield shell


async def federation_of(shell: TestShell) -> ComponentHealth:
    health: HealthResult = await shell.client.call("health.get", result=HealthResult)
    return health.components["federation"]


async def until(shell: TestShell, status: str) -> ComponentHealth:
    with anyio.fail_after(LIMIT_S):
        while (found := await federation_of(shell)).status != status:
            await anyio.sleep(0.02)
    return found


async def until_detail(shell: TestShell, words: str) -> str:
    with anyio.fail_after(LIMIT_S):
        while words not in (found := str((await federation_of(shell)).detail)):
            await anyio.sleep(0.02)
    return found


async def next_of(inbox: Inbox) -> Message:
    with anyio.fail_after(LIMIT_S):
        return await inbox.receive()


def number_of(message: Message) -> int:
    return msgspec.json.decode(message.payload, type=int)


async def numbers_up_to(inbox: Inbox, last: int) -> list[int]:
    found = [number_of(await next_of(inbox))]
    while found[-1] != last:
        found.append(number_of(await next_of(inbox)))
    return found


async def publish(feed: Client, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await feed.publish("orders.new", number, durable=True, confirm=True)


async def replayed(reader: Client, last: int) -> list[int]:
    """The numbers in the log, once the last is there."""
    async with reader.listen("orders.#") as messages:
        with anyio.fail_after(LIMIT_S):
            while True:
                there_are = await reader.replay("orders.#")
                found = [number_of(await messages.receive()) for _ in range(there_are)]
                if found[-1:] == [last]:
                    return found
                await anyio.sleep(0.05)
