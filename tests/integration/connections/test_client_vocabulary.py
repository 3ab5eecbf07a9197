"""The common words of the clients, spoken by Python's clients to a real backend."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from deskbus_protocol.client import Client, Message, Source, SteadyClient
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, TestShell


@asynccontextmanager
async def steady(shell: TestShell, app: str) -> AsyncIterator[SteadyClient]:
    async def ticket() -> str:
        return await shell.ticket(app)

    opened = anyio.Event()
    client = SteadyClient(
        shell.hello.pipe,
        app,
        ticket,
        on_state=lambda state: opened.set() if state == "open" else None,
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.run)
        with anyio.fail_after(LIMIT_S):
            await opened.wait()
        yield client
        await client.close()


@asynccontextmanager
async def responder(shell: TestShell, kind: str) -> AsyncIterator[Client | SteadyClient]:
    made = shell.app("desk.blotter") if kind == "one connection" else steady(shell, "desk.blotter")
    async with made as client:
        yield client


async def refuse(payload: Any) -> object:
    raise LookupError(f"no order {payload}")


async def with_sender(payload: Any, message: Message) -> object:
    return [payload, message.sender.app]


@pytest.mark.parametrize("kind", ["one connection", "steady"])
async def test_a_handler_answers_the_requests_on_a_pattern_until_it_is_stopped(
    open_shell: TestShell, kind: str
) -> None:
    async with open_shell.app("desk.ticker") as asker, responder(open_shell, kind) as client:
        await client.respond("orders.refused", refuse)
        stop = await client.respond("orders.*", with_sender)
        result = await asker.request("orders.prefill", 7)
        assert msgspec.json.decode(result.payload) == [7, "desk.ticker"]
        stop()
        with pytest.raises(DeskbusError) as failed:
            await asker.request("orders.refused", 8)
    assert (failed.value.kind.name, failed.value.message) == ("responder_failed", "no order 8")


async def test_a_handler_outlives_an_asking_app_that_does_not_wait(open_shell: TestShell) -> None:
    asked, go_on = anyio.Event(), anyio.Event()

    async def late(_: Any) -> object:
        asked.set()
        await go_on.wait()
        return "late"

    async with open_shell.app("desk.ticker") as asker, open_shell.app("desk.blotter") as client:
        await client.respond("orders.late", late)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asker.request, "orders.late", 1)
            await asked.wait()
            tasks.cancel_scope.cancel()
        await asker.call("session.ping")
        go_on.set()
        assert (await asker.request("orders.late", 2)).app == "desk.blotter"


@pytest.mark.parametrize("kind", ["one connection", "steady"])
async def test_sources_choose_and_send_names_its_client_and_headers(
    open_shell: TestShell, kind: str
) -> None:
    async with (
        open_shell.app("desk.feed") as feed,
        open_shell.app("desk.ticker") as ticker,
        responder(open_shell, kind) as reader,
        reader.subscribe("orders.new", sources=[Source("desk.ticker")]) as chosen,
        reader.subscribe("orders.new") as everybody,
    ):
        await feed.publish("orders.new", 1, confirm=True)
        await ticker.publish("orders.new", 2, confirm=True)
        await ticker.send("desk.blotter", "orders.new", 3, client="main", headers={"why": "test"})
        with anyio.fail_after(LIMIT_S):
            got = [await chosen.receive(), await chosen.receive()]
            every = [await everybody.receive() for _ in range(3)]
        with pytest.raises(DeskbusError):
            await ticker.send("desk.blotter", "orders.new", 4, client="nobody")
    assert [bytes(message.payload) for message in got] == [b"2", b"3"]
    assert got[1].headers == {"why": "test"}
    assert [bytes(message.payload) for message in every] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("kind", ["one connection", "steady"])
async def test_publish_waits_with_confirm_alone_and_a_durable_one_needs_it(
    open_shell: TestShell, kind: str
) -> None:
    async with responder(open_shell, kind) as client:
        assert (await client.publish("orders.new", 1, confirm=True)).seq == 1
        unconfirmed: Any = client.publish("orders.new", 2)
        assert await unconfirmed is None
        with pytest.raises(DeskbusError, match="durable publish needs confirm"):
            await client.publish("orders.new", 3, durable=True)
        assert (await client.publish("orders.new", 4, confirm=True)).seq == 3


@pytest.mark.parametrize("kind", ["one connection", "steady"])
async def test_the_former_names_work_and_warn(open_shell: TestShell, kind: str) -> None:
    async with open_shell.app("desk.ticker") as asker, responder(open_shell, kind) as client:

        async def ask() -> None:
            assert bytes((await asker.request("orders.old", 1)).payload) == b'"old"'

        async with client.subscribe("orders.old") as requests, anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            with pytest.warns(DeprecationWarning, match="now answer"):
                await client.respond(await requests.receive(), "old")
        with pytest.warns(DeprecationWarning, match="now publish"):
            await client.post("orders.new", 1)
