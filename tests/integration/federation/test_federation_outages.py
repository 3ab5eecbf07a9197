"""Federated backends whose nats-server is killed now and then, and who are killed themselves."""

import json
import random
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import anyio
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from tests.integration.federation.federated_backends import (
    CONFIG,
    EVERYTHING,
    config,
    federation_of,
    machine,
    next_of,
    number_of,
    numbers_up_to,
    publish,
    replayed,
    until,
)
from tests.integration.federation.natsserver import NatsServer
from tests.integration.shell import TestShell, start_shell


@pytest.mark.requirement("6.1")
async def test_live_messages_are_dropped_and_counted_while_there_is_no_server(
    server: NatsServer, tmp_path: Path
) -> None:
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed") as feed,
        b.app("desk.blotter") as blotter,
        blotter.subscribe("prices.#") as inbox,
    ):
        await server.kill()
        for shell in (a, b):
            gone = await until(shell, "degraded")
            assert "no connection to NATS" in str(gone.detail)
        await feed.publish("prices.EURUSD", 1, confirm=True)
        assert " 1 dropped" in str((await federation_of(a)).detail)
        await server.start()
        for shell in (a, b):
            await until(shell, "ok")
        await feed.publish("prices.EURUSD", 2, confirm=True)
        assert number_of(await next_of(inbox)) == 2


@pytest.mark.requirement("6.1")
@pytest.mark.requirement("2.2")
async def test_nothing_durable_is_lost_when_the_server_is_killed(
    server: NatsServer, tmp_path: Path
) -> None:
    last = 1500
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed", honest=False) as feed,
        b.app("desk.blotter", honest=False) as blotter,
        blotter.subscribe("orders.#") as inbox,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(publish, feed, 1, last)
        found: list[int] = []
        for number in (200, 500):
            found += await numbers_up_to(inbox, number)
            await server.kill()
            await until(a, "degraded")
            await server.start()
        found += await numbers_up_to(inbox, last)
        assert found == list(range(1, last + 1))


@pytest.mark.requirement("2.2")
async def test_nothing_durable_is_lost_when_backends_are_killed(
    server: NatsServer, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        b = await stack.enter_async_context(machine(server, tmp_path, "desk-b"))
        async with machine(server, tmp_path, "desk-a") as a:
            async with a.app("desk.feed", honest=False) as feed:
                await publish(feed, 1, 300)
                a.process.kill()
                await a.process.wait()
        b.process.kill()
        await b.process.wait()
        await stack.aclose()
    await server.kill()
    async with start_shell(
        tmp_path / "desk-a", config=config(server, "desk-a"), consent="allow"
    ) as a:
        await until(a, "degraded")
        async with a.app("desk.feed", honest=False) as feed:
            await publish(feed, 301, 600)
            await server.start()
            await until(a, "ok")
            async with machine(server, tmp_path, "desk-b") as b:
                async with b.app("desk.blotter", honest=False) as blotter:
                    await publish(feed, 601, 700)
                    assert await replayed(blotter, 700) == list(range(1, 701))


@pytest.mark.requirement("2.2")
async def test_whoever_is_killed_what_was_acknowledged_arrives_once(
    server: NatsServer, tmp_path: Path
) -> None:
    chance = random.Random(20_26)
    acknowledged: list[int] = []
    numbers = count(1)
    for _ in range(3):
        await life(server, tmp_path, chance, numbers, acknowledged)
    last = next(numbers)
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed") as feed,
        b.app("desk.blotter", honest=False) as there,
        a.app("desk.blotter", honest=False) as here,
    ):
        await publish(feed, last, last)
        arrived, kept = await replayed(there, last), await replayed(here, last)
    assert len(acknowledged) > 100
    assert len(arrived) == len(set(arrived))
    assert set(acknowledged) <= set(arrived)
    # Messages on their way to the sender's disk when it was killed may have arrived all the same.
    assert [number for number in arrived if number in set(kept)] == kept


async def life(
    server: NatsServer,
    folder: Path,
    chance: random.Random,
    numbers: Iterator[int],
    acknowledged: list[int],
) -> None:
    """Two machines under load, until first the receiver is killed, then the server, the sender."""

    async def publish_on(feed: Client) -> None:
        try:
            while True:
                number = next(numbers)
                await feed.publish("orders.new", number, durable=True, confirm=True)
                acknowledged.append(number)
        except DeskbusError:
            return

    async with (
        start_shell(folder / "desk-a", config=config(server, "desk-a"), consent="allow") as a,
        start_shell(folder / "desk-b", config=config(server, "desk-b"), consent="allow") as b,
        a.app("desk.feed", honest=False) as feed,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(20):
            tasks.start_soon(publish_on, feed)
        await anyio.sleep(chance.uniform(0.1, 0.6))
        b.process.kill()
        await anyio.sleep(chance.uniform(0, 0.2))
        await server.kill()
        await server.start()
        await anyio.sleep(chance.uniform(0, 0.2))
        a.process.kill()
        await a.process.wait()


async def test_a_backend_starts_without_a_server(tmp_path: Path) -> None:
    text = CONFIG.format(name="desk-a", url="nats://127.0.0.1:1", patterns=EVERYTHING)
    async with start_shell(tmp_path / "data", config=text, consent="allow") as shell:
        found = await federation_of(shell)
        assert found.status == "degraded"
        async with shell.app("desk.feed") as feed:
            assert (await feed.publish("orders.new", 1, durable=True, confirm=True)).seq == 1


FOUND_WITHIN_S = 5.0


@pytest.mark.requirement("6.1")
async def test_a_server_that_is_back_is_found_soon_though_the_breaker_is_open(
    server: NatsServer, tmp_path: Path
) -> None:
    async with machine(server, tmp_path, "desk-a") as a:
        await server.kill()
        with anyio.fail_after(30):
            while (await breaker_of(a))["state"] != "open":
                await anyio.sleep(0.1)
        await server.start()
        with anyio.fail_after(FOUND_WITHIN_S):
            await until(a, "ok")
        assert (await breaker_of(a))["state"] == "closed"


async def test_a_person_has_it_connect_at_once(server: NatsServer, tmp_path: Path) -> None:
    async with machine(server, tmp_path, "desk-a") as a:
        await until(a, "ok")
        assert await reconnected(a) == "ok"
        await server.kill()
        assert await reconnected(a) == "degraded"
        await server.start()
        assert await reconnected(a) == "ok"


async def reconnected(shell: TestShell) -> str:
    told = await shell.client.call("federation.reconnect", {}, result=dict)
    return str(told["health"]["status"])


async def breaker_of(shell: TestShell) -> dict[str, object]:
    health = await shell.client.call("health.get", {}, result=dict)
    return dict(health["breakers"]["federation"])


async def test_the_command_has_it_connect_and_exits_by_how_that_went(
    server: NatsServer, tmp_path: Path
) -> None:
    data, text = tmp_path / "desk-a", "tools = true\n" + config(server, "desk-a")
    async with start_shell(data, config=text, consent="allow") as shell:
        await until(shell, "ok")
        code, told = await command("federation", "reconnect", data_dir=data)
        assert (code, told["status"]) == (0, "ok")
        await server.kill()
        code, told = await command("federation", "reconnect", data_dir=data)
        assert (code, told["status"]) == (1, "degraded")
        await server.start()
        code, told = await command("federation", "reconnect", data_dir=data)
        assert (code, told["status"]) == (0, "ok")


async def command(*words: str, data_dir: Path) -> tuple[int, dict[str, object]]:
    given = [sys.executable, "-m", "deskbus", *words, "--data-dir", str(data_dir)]
    with anyio.fail_after(30):
        done = await anyio.run_process(given, check=False)
    return done.returncode, json.loads(done.stdout)
