"""The client that outlives its connections: its link is cut, its backend killed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest

from deskbus_protocol.bus import GapParams, Mode
from deskbus_protocol.client import Message, SteadyClient
from deskbus_protocol.client import steady as steady_module
from deskbus_protocol.errors import DeskbusError
from tests.integration.faultylink import FaultyLink, faulty_link
from tests.integration.shell import TestShell, start_shell

CONFIG = '[persistence]\ntopics = ["orders.#"]\n'
LIMIT_S = 60


class Rig:
    """A steady client behind a faulty link, and what it was told."""

    def __init__(self, client: SteadyClient, link: FaultyLink) -> None:
        self.client = client
        self.link = link
        self.states: list[str] = []
        self.gaps: list[GapParams] = []
        self.changed = anyio.Event()

    def on_state(self, state: str) -> None:
        self.states.append(state)
        self.changed.set()
        self.changed = anyio.Event()

    async def cut(self) -> None:
        """Cuts the link; returns when there is a session again."""
        before = self.link.connections
        self.link.cut()
        with anyio.fail_after(LIMIT_S):
            while self.link.connections == before or self.client.state != "open":
                await self.changed.wait()

    async def until(self, state: str) -> None:
        with anyio.fail_after(LIMIT_S):
            while self.client.state != state:
                await self.changed.wait()


@asynccontextmanager
async def steady(
    shell: TestShell, folder: Path, *, while_closed: str = "wait"
) -> AsyncIterator[Rig]:
    shells = [shell]

    async def ticket() -> str:
        return await shells[-1].ticket("desk.reader")

    async with faulty_link(folder, shell.hello.pipe) as link, anyio.create_task_group() as tasks:
        client = SteadyClient(
            link.path,
            "desk.reader",
            ticket,
            while_closed=while_closed,  # type: ignore[arg-type]
        )
        rig = Rig(client, link)
        client._on_state = rig.on_state
        client.on_gap = rig.gaps.append
        rig.shells = shells  # type: ignore[attr-defined]
        tasks.start_soon(client.run)
        yield rig
        await client.close()
        tasks.cancel_scope.cancel()


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG, consent="allow") as shell:
        yield shell


def number(message: Message) -> int:
    return int(msgspec.json.decode(message.payload))


@pytest.mark.requirement("6.3")
@pytest.mark.parametrize("mode", ["live", "acknowledged"])
async def test_numbered_messages_survive_a_hundred_cuts_under_load(
    desk: TestShell, tmp_path: Path, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady_module, "FIRST_DELAY_S", 0.02)
    cuts, each = 100, 20
    got: list[int] = []
    done = anyio.Event()

    async with desk.app("desk.feed") as feed, steady(desk, tmp_path) as rig:
        async with (
            rig.client.subscribe("prices.EURUSD", mode=mode) as prices,
            anyio.create_task_group() as tasks,
        ):

            async def read() -> None:
                async for message in prices:
                    if mode == "acknowledged":
                        await rig.client.acknowledge(message)
                    if not message.redelivery or number(message) not in got:
                        got.append(number(message))
                    if got[-1] == cuts * each:
                        done.set()

            tasks.start_soon(read)
            published = 0
            for _ in range(cuts):
                for _ in range(each):
                    published += 1
                    await feed.post("prices.EURUSD", published)
                await feed.call("session.ping")
                await rig.cut()
            with anyio.fail_after(LIMIT_S):
                await done.wait()
            tasks.cancel_scope.cancel()
    told = sum(gap.last - gap.first + 1 for gap in rig.gaps)
    assert len(set(got)) + told >= cuts * each
    assert sorted(set(got)) == list(dict.fromkeys(got)), "out of order"
    if mode == "live":
        assert len(got) == len(set(got)), "a live message came twice"
    assert rig.link.connections > cuts


@pytest.mark.requirement("6.3")
@pytest.mark.requirement("2.2")
async def test_after_a_backend_restart_persisted_topics_go_on_by_replay(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    got: list[int] = []
    async with start_shell(data_dir, config=CONFIG, consent="allow") as first:
        async with steady(first, tmp_path) as rig:
            async with rig.client.subscribe("orders.#") as orders:
                async with first.app("desk.feed") as feed:
                    for n in range(5):
                        await feed.publish("orders.new", n, durable=True)
                with anyio.fail_after(LIMIT_S):
                    got += [number(await orders.receive()) for _ in range(5)]
                rig.link.cut()
                async with first.app("desk.feed") as feed:
                    for n in range(5, 8):
                        await feed.publish("orders.new", n, durable=True)
                first.process.kill()
                await first.process.wait()
                async with start_shell(data_dir, config=CONFIG, consent="allow") as second:
                    rig.shells.append(second)  # type: ignore[attr-defined]
                    async with second.app("desk.feed") as feed:
                        await feed.publish("orders.new", 8, durable=True)
                        await rig.until("open")
                        await feed.publish("orders.new", 9, durable=True)
                        with anyio.fail_after(LIMIT_S):
                            got += [number(await orders.receive()) for _ in range(5)]
    assert got == list(range(10))
    assert {"resuming", "open"} <= set(rig.states)


@pytest.mark.requirement("6.1")
async def test_a_call_meanwhile_is_refused_or_waits_as_the_caller_chose(
    desk: TestShell, tmp_path: Path
) -> None:
    async with steady(desk, tmp_path, while_closed="refuse") as rig:
        await rig.until("open")
        rig.link.target = "/nowhere"
        rig.link.cut()
        await rig.until("resuming")
        with pytest.raises(DeskbusError) as refused:
            await rig.client.publish("a", 1)
        assert refused.value.kind.name == "connection_lost"
        rig.link.target = desk.hello.pipe
        rig.client._while_closed = "wait"
        with anyio.fail_after(LIMIT_S):
            assert (await rig.client.publish("a", 1)).seq == 1
