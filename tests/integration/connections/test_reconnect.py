"""Clients that are cut off and come back, and ones that go silent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from deskbus_protocol.bus import GapParams
from deskbus_protocol.client import Client, Message, connect, open_session
from deskbus_protocol.errors import DeskbusError
from tests.integration.schema_validator import SchemaValidator
from tests.integration.shell import LIMIT_S, TestShell, start_shell

HEARTBEAT = "[heartbeat]\ninterval_s = 0.2\ndeadline_s = 0.5\n"


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", consent="allow") as shell:
        yield shell


def number(message: Message) -> int:
    return int(msgspec.json.decode(message.payload))


async def resume(client: Client, token: str, last_seqs: dict[str, int]) -> dict[str, Any]:
    params = {"resumeToken": token, "protocolVersion": "1.0", "lastSeqs": last_seqs}
    answer: dict[str, Any] = await client.call("session.resume", params, result=dict)
    return answer


@asynccontextmanager
async def cut_off(desk: TestShell, app: str, pattern: str) -> AsyncIterator[str]:
    """A client that subscribed and was cut off; its value is the resume token."""
    ticket = await desk.ticket(app)
    async with connect(desk.hello.pipe, on_frame=SchemaValidator()) as client:
        opened = await open_session(client, ticket, app)
        await client.call("bus.subscribe", {"pattern": pattern})
    yield opened.resume_token


@pytest.mark.requirement("6.3")
async def test_a_resumed_session_gets_what_was_missed_on_the_way_and_while_away(
    desk: TestShell,
) -> None:
    async with desk.app("desk.feed") as feed:
        ticket = await desk.ticket("desk.blotter")
        async with connect(desk.hello.pipe) as client:
            opened = await open_session(client, ticket, "desk.blotter")
            await client.call("bus.subscribe", {"pattern": "prices.#"})
            for n in range(1, 6):
                await feed.publish("prices.EURUSD", n, confirm=True)
        for n in range(6, 9):
            await feed.publish("prices.EURUSD", n, confirm=True)
        async with connect(desk.hello.pipe, on_frame=SchemaValidator()) as back:
            async with back.listen("prices.#") as prices:
                answer = await resume(back, opened.resume_token, {"prices.EURUSD": 2})
                await feed.publish("prices.EURUSD", 9, confirm=True)
                with anyio.fail_after(LIMIT_S):
                    got = [number(await prices.receive()) for _ in range(7)]
    assert (answer["resumed"], answer["app"]) == (True, "desk.blotter")
    assert got == [3, 4, 5, 6, 7, 8, 9]


@pytest.mark.requirement("6.3")
async def test_what_is_not_kept_any_more_is_told_as_a_gap(desk: TestShell) -> None:
    gaps: list[GapParams] = []
    async with desk.app("desk.feed") as feed, desk.app("desk.other"):
        ticket = await desk.ticket("desk.blotter")
        async with connect(desk.hello.pipe) as client:
            opened = await open_session(client, ticket, "desk.blotter")
            await client.call("bus.subscribe", {"pattern": "prices.#"})
            for n in range(1, 151):
                await feed.publish("prices.EURUSD", n, confirm=True)
        async with connect(desk.hello.pipe) as back, back.listen("prices.#") as prices:
            back.on_gap = gaps.append
            await resume(back, opened.resume_token, {"prices.EURUSD": 10})
            with anyio.fail_after(LIMIT_S):
                got = [number(await prices.receive()) for _ in range(100)]
    assert got == list(range(51, 151))
    assert [(gap.first, gap.last, gap.reason) for gap in gaps] == [(11, 50, "disconnected")]


@pytest.mark.requirement("6.3")
async def test_a_resume_token_works_once_and_for_its_client_alone(desk: TestShell) -> None:
    async with cut_off(desk, "desk.blotter", "prices.#") as token:
        async with connect(desk.hello.pipe) as back:
            await resume(back, token, {})
        async with connect(desk.hello.pipe) as again:
            for wrong in (token, "x" * 43):
                with pytest.raises(DeskbusError) as refused:
                    await resume(again, wrong, {})
                assert refused.value.kind.name == "ticket_refused"


@pytest.mark.requirement("6.3")
async def test_a_new_session_voids_the_token_of_the_one_before(desk: TestShell) -> None:
    async with cut_off(desk, "desk.blotter", "prices.#") as token:
        async with desk.app("desk.blotter"), connect(desk.hello.pipe) as late:
            with pytest.raises(DeskbusError):
                await resume(late, token, {})


@pytest.mark.serial
@pytest.mark.requirement("6.4")
async def test_a_silent_client_is_dead_at_its_deadline(tmp_path: Path) -> None:
    async with start_shell(tmp_path / "data", config=HEARTBEAT, consent="allow") as shell:
        ticket = await shell.ticket("desk.feed")
        async with await anyio.connect_unix(shell.hello.pipe) as stream:
            opening = {"ticket": ticket, "app": "desk.feed", "protocolVersion": "1.0"}
            frame = {"jsonrpc": "2.0", "id": 1, "method": "session.open", "params": opening}
            began = anyio.current_time()
            await stream.send(msgspec.json.encode(frame) + b"\n")
            with anyio.fail_after(LIMIT_S):
                asked = b"".join([chunk async for chunk in stream])
            took_s = anyio.current_time() - began
    assert asked.count(b"session.ping") == 1
    assert 0.5 <= took_s < 1.5


async def test_a_client_that_answers_lives_on(tmp_path: Path) -> None:
    async with start_shell(tmp_path / "data", config=HEARTBEAT, consent="allow") as shell:
        async with shell.app("desk.feed") as feed:
            pings = 0
            until = anyio.current_time() + 1.2
            with anyio.move_on_after(1.2):
                await feed.closed.wait()
            assert anyio.current_time() >= until
            pings += (await feed.publish("a", 1, confirm=True)).seq
    assert pings == 1


async def test_only_messages_of_the_named_sources_arrive(desk: TestShell) -> None:
    async with (
        desk.app("desk.feed") as feed,
        desk.app("desk.other") as other,
        desk.app("desk.blotter") as blotter,
        blotter.listen("prices.#") as prices,
    ):
        params = {"pattern": "prices.#", "sources": [{"app": "desk.feed"}]}
        await blotter.call("bus.subscribe", params)
        await other.publish("prices.EURUSD", 1, confirm=True)
        await feed.publish("prices.EURUSD", 2, confirm=True)
        with anyio.fail_after(LIMIT_S):
            first = await prices.receive()
        await blotter.call("bus.subscribe", {"pattern": "prices.#"})
        await other.publish("prices.EURUSD", 3, confirm=True)
        with anyio.fail_after(LIMIT_S):
            second = await prices.receive()
    assert (number(first), number(second)) == (2, 3)


async def test_a_watcher_is_told_who_subscribes_and_who_leaves(desk: TestShell) -> None:
    told: list[tuple[str, str, bool | None]] = []
    changed = anyio.Event()

    async with desk.app("desk.feed") as feed:
        for method in ("bus.subscriberAdded", "bus.subscriberRemoved"):

            def note(params: msgspec.Raw, method: str = method) -> None:
                word = msgspec.json.decode(params)
                told.append((method, word["pattern"], word.get("away")))
                if len(told) == 5:
                    changed.set()

            feed.observe(method, note)
        async with desk.app("desk.blotter") as blotter:
            await blotter.call("bus.subscribe", {"pattern": "early.#"})
            answer = await feed.call("bus.watchSubscribers", {}, result=dict)
            async with blotter.subscribe("prices.#"):
                pass
        async with desk.app("desk.blotter") as blotter:
            await blotter.call("bus.subscribe", {"pattern": "late.#"})
            await blotter.call("session.leave")
        with anyio.fail_after(LIMIT_S):
            await changed.wait()
    assert [word["pattern"] for word in answer["subscribers"]] == ["early.#"]
    assert told == [
        ("bus.subscriberAdded", "prices.#", None),
        ("bus.subscriberRemoved", "prices.#", False),
        ("bus.subscriberRemoved", "early.#", True),
        ("bus.subscriberAdded", "late.#", None),
        ("bus.subscriberRemoved", "late.#", False),
    ]


async def test_a_link_that_opens_no_session_is_closed(desk: TestShell) -> None:
    async with await anyio.connect_unix(desk.hello.pipe) as stream:
        with anyio.fail_after(LIMIT_S), pytest.raises(anyio.EndOfStream):
            await stream.receive()
