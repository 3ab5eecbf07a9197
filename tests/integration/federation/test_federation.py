"""Messages from one real backend to another, through a real nats-server."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import msgspec
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from tests.integration.federation.federated_backends import (
    LIMIT_S,
    Inbox,
    federation_of,
    machine,
    next_of,
    number_of,
    publish,
    replayed,
)
from tests.integration.federation.natsserver import NatsServer
from tests.integration.shell import TestShell


@pytest.mark.requirement("7.2")
async def test_a_message_goes_over_with_what_it_carries(server: NatsServer, tmp_path: Path) -> None:
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed") as feed,
        b.app("desk.blotter") as blotter,
        blotter.subscribe("#") as inbox,
    ):
        for topic in ("prices.fx rate.>€", "orders.new"):
            result = await feed.publish(
                topic,
                {"bid": 1.1},
                headers={"kind": "spot"},
                correlationId="c-1",
                ttl=60_000,
                priority=7,
                _meta={"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
                confirm=True,
            )
            found = await next_of(inbox)
            assert (found.topic, found.id, found.origin) == (topic, result.id, "desk-a")
            assert (found.sender.app, found.sender.client) == ("desk.feed", "main")
            assert (found.epoch, found.seq) == (b.hello.epoch, 1)
            assert found.correlation_id == "c-1"
            assert found.headers == {"kind": "spot"}
            assert found.priority == 7
            assert isinstance(found.ttl, int)
            assert 50_000 < found.ttl <= 60_000
            assert not isinstance(found.meta, msgspec.UnsetType)
            assert found.meta.traceparent == (
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            )
            assert bytes(found.payload) == b'{"bid":1.1}'


async def test_three_machines_get_each_message_once(server: NatsServer, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        names = ("desk-a", "desk-b", "desk-c")
        shells = [await stack.enter_async_context(machine(server, tmp_path, n)) for n in names]
        apps = [await stack.enter_async_context(shell.app("desk.app")) for shell in shells]
        inboxes = [await stack.enter_async_context(app.subscribe("#")) for app in apps]
        for topic in ("prices.EURUSD", "orders.new"):
            for number, app in enumerate(apps):
                await app.publish(topic, number, confirm=True)
        # A mark from each machine comes after all that it could have sent twice.
        await reached(apps, inboxes)


async def reached(apps: list[Client], inboxes: list[Inbox]) -> None:
    wanted = sorted((topic, n) for topic in ("orders.new", "prices.EURUSD") for n in range(3))
    seen: list[list[tuple[str, int]]] = [[] for _ in inboxes]
    for inbox, found in zip(inboxes, seen, strict=True):
        while len(found) < len(wanted):
            message = await next_of(inbox)
            found.append((message.topic, number_of(message)))
    for app in apps:
        await app.publish("prices.mark", 0, confirm=True)
        await app.publish("orders.mark", 0, confirm=True)
    for inbox, found in zip(inboxes, seen, strict=True):
        marks = 0
        while marks < 2 * len(apps):
            message = await next_of(inbox)
            marks += message.topic.endswith(".mark")
            if not message.topic.endswith(".mark"):
                found.append((message.topic, number_of(message)))
        assert sorted(found) == wanted


async def test_both_sides_decide_what_goes_over(server: NatsServer, tmp_path: Path) -> None:
    sends = 'send = ["prices.#", "secret.open"]\nreceive = []'
    takes = 'send = []\nreceive = ["prices.EURUSD", "prices.mark", "secret.#"]'
    async with (
        machine(server, tmp_path, "desk-a", sends) as a,
        machine(server, tmp_path, "desk-b", takes) as b,
        a.app("desk.feed") as feed,
        b.app("desk.feed") as back,
        a.app("desk.blotter") as here,
        b.app("desk.blotter") as there,
        here.subscribe("#") as inbox_here,
        there.subscribe("#") as inbox_there,
    ):
        for topic in ("secret.closed", "prices.GBPUSD", "secret.open", "prices.EURUSD"):
            await feed.publish(topic, topic, confirm=True)
        await back.publish("prices.EURUSD", "back", confirm=True)
        await feed.publish("prices.mark", 0, confirm=True)
        arrived = [await next_of(inbox_there) for _ in range(4)]
        assert [message.topic for message in arrived if message.origin == "desk-a"] == [
            "secret.open",
            "prices.EURUSD",
            "prices.mark",
        ]
        stayed = [await next_of(inbox_here) for _ in range(5)]
        assert {message.origin for message in stayed} == {msgspec.UNSET}


async def test_a_request_stays_on_its_machine(server: NatsServer, tmp_path: Path) -> None:
    async with (
        machine(server, tmp_path, "desk-a") as a,
        machine(server, tmp_path, "desk-b") as b,
        a.app("desk.feed") as feed,
        b.app("desk.blotter") as blotter,
        blotter.subscribe("orders.#") as inbox,
    ):
        with pytest.raises(DeskbusError) as refused:
            await feed.request("orders.prefill", 1)
        assert refused.value.kind.name == "no_subscriber"
        await feed.publish("orders.prefill", 2, confirm=True)
        assert number_of(await next_of(inbox)) == 2


async def test_a_machine_that_joins_later_gets_what_the_stream_holds(
    server: NatsServer, tmp_path: Path
) -> None:
    async with machine(server, tmp_path, "desk-a") as a, a.app("desk.feed") as feed:
        await publish(feed, 1, 10)
        async with machine(server, tmp_path, "desk-b") as b, b.app("desk.blotter") as blotter:
            assert await replayed(blotter, 10) == list(range(1, 11))


async def test_without_federation_its_health_is_off(open_shell: TestShell) -> None:
    assert (await federation_of(open_shell)).status == "off"


WITHOUT_NATS = """
import sys
sys.modules["nats"] = None
from deskbus.cli import main
sys.exit(main(sys.argv[1:]))
"""


async def test_without_the_extra_the_start_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deskbus.toml"
    file.write_text('[federation]\nname = "desk-a"\n')
    arguments = ["serve", "--headless", "--data-dir", str(tmp_path), "--config", str(file)]
    with anyio.fail_after(LIMIT_S):
        done = await anyio.run_process(
            [sys.executable, "-c", WITHOUT_NATS, *arguments], check=False
        )
    assert done.returncode == 78
    assert b"pip install 'deskbus[nats]'" in done.stderr
