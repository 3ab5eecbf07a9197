"""Identities: the shell's hello, tickets, roles, and the wire's inability to change them."""

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deskbus_protocol.client import connect, open_session
from deskbus_protocol.errors import DeskbusError
from tests.integration.conftest import CONFIG
from tests.integration.schema_validator import SchemaValidator
from tests.integration.shell import TestShell, start_shell


@pytest.fixture(scope="module")
async def shell(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TestShell]:
    """One for all tests: each has topics, or tickets, of its own."""
    async with start_shell(tmp_path_factory.mktemp("shell") / "data", config=CONFIG) as started:
        yield started


async def test_the_hello_tells_versions_and_the_pipe(shell: TestShell) -> None:
    assert shell.hello.protocol_version == "1.0"
    pipe = Path(shell.hello.pipe)
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o600
    assert stat.S_IMODE(pipe.parent.stat().st_mode) == 0o700


async def test_another_major_version_is_refused_with_what_to_do(shell: TestShell) -> None:
    async with connect(shell.hello.pipe) as client:
        with pytest.raises(DeskbusError) as refused:
            await client.call(
                "session.open", {"ticket": "x" * 20, "app": "a", "protocolVersion": "2.0"}
            )
    assert refused.value.kind.name == "version_mismatch"
    assert "Update the backend to a deskbus that speaks protocol 2" in refused.value.action


async def test_a_ticket_opens_a_session_once(shell: TestShell) -> None:
    ticket = await shell.ticket("desk.feed")
    async with connect(shell.hello.pipe, on_frame=SchemaValidator()) as first:
        opened = await open_session(first, ticket, "desk.feed")
        assert (opened.app, opened.client) == ("desk.feed", "main")
        async with connect(shell.hello.pipe) as second:
            with pytest.raises(DeskbusError) as refused:
                await open_session(second, ticket, "desk.feed")
    assert refused.value.kind.name == "ticket_refused"


@pytest.mark.requirement("3.4")
async def test_a_ticket_of_another_app_is_refused_and_spent(shell: TestShell) -> None:
    ticket = await shell.ticket("desk.feed")
    async with connect(shell.hello.pipe) as client:
        for app in ("desk.blotter", "desk.feed"):
            with pytest.raises(DeskbusError) as refused:
                await open_session(client, ticket, app)
            assert refused.value.kind.name == "ticket_refused"


@pytest.mark.parametrize("method", ["session.mintTicket", "session.shutdown", "apps.list"])
async def test_an_app_can_not_call_the_shell_s_methods(shell: TestShell, method: str) -> None:
    params = {"app": "desk.feed", "client": "main"} if method == "session.mintTicket" else {}
    async with shell.app("desk.feed") as feed:
        with pytest.raises(DeskbusError) as refused:
            await feed.call(method, params)
    assert refused.value.kind.name == "permission_denied"
    assert refused.value.message == "This is not permitted."


async def test_a_connection_without_a_session_can_do_nothing_on_the_bus(shell: TestShell) -> None:
    async with connect(shell.hello.pipe) as client:
        for method, params in (
            ("bus.subscribe", {"pattern": "prices.#"}),
            ("bus.publish", {"topic": "prices.EURUSD", "payload": 1}),
            ("session.hello", {"protocolVersion": "1.0", "shell": "pretender"}),
        ):
            with pytest.raises(DeskbusError) as refused:
                await client.call(method, params)
            assert refused.value.kind.category == "permission"


async def test_ids_of_the_shell_and_of_tools_are_reserved(shell: TestShell) -> None:
    with pytest.raises(DeskbusError) as refused:
        await shell.ticket("deskbus.developer")
    assert refused.value.kind.name == "permission_denied"


async def test_the_sender_is_the_connection_s_whatever_the_wire_says(shell: TestShell) -> None:
    async with (
        shell.app("desk.blotter") as blotter,
        shell.app("desk.feed", honest=False) as feed,
    ):
        async with blotter.subscribe("prices.EURUSD") as prices:
            with pytest.raises(DeskbusError) as refused:
                await feed.call(
                    "bus.publish",
                    {"topic": "prices.EURUSD", "payload": 1, "sender": {"app": "desk.bank"}},
                )
            assert refused.value.kind.name == "invalid_params"
            await feed.publish("prices.EURUSD", {"sender": {"app": "desk.bank"}}, confirm=True)
            message = await prices.receive()
    assert (message.sender.app, message.sender.client) == ("desk.feed", "main")
    assert json.loads(bytes(message.payload)) == {"sender": {"app": "desk.bank"}}


async def test_a_second_connection_of_an_identity_takes_its_place(shell: TestShell) -> None:
    async with shell.app("desk.feed") as first, shell.app("desk.feed") as second:
        await first.closed.wait()
        assert (await second.publish("prices.second", 1, confirm=True)).seq == 1
