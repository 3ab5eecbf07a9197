"""Python's client while it has no connection: how many calls wait, for how long, and for what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio.abc import ByteStream
from msgspec import Raw

from deskbus_protocol.bus import Mark, SubscribeResult
from deskbus_protocol.client import SteadyClient
from deskbus_protocol.errors import (
    CONNECTION_LOST,
    INVALID_PARAMS,
    OVERLOADED,
    TICKET_REFUSED,
    TIMEOUT,
    DeskbusError,
)
from deskbus_protocol.reconnection import MAX_QUEUED_CALLS, MAX_QUEUED_SIZE
from deskbus_protocol.session import OpenResult

pytestmark = pytest.mark.requirement("6.1")


async def no_ticket() -> str:
    raise AssertionError("nobody connects here")


def steady() -> SteadyClient:
    return SteadyClient("/nowhere", "desk.app", no_ticket, while_closed="queue")


async def failure_of(client: SteadyClient, *, timeout_s: float = 60) -> object:
    with pytest.raises(DeskbusError) as failed:
        await client.call("session.ping", timeout_s=timeout_s)
    return failed.value.kind


async def test_a_thousand_calls_wait_and_one_more_is_refused_at_once() -> None:
    client = steady()
    kinds: list[object] = []

    async def wait() -> None:
        kinds.append(await failure_of(client))

    async with anyio.create_task_group() as tasks:
        for _ in range(MAX_QUEUED_CALLS):
            tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert await failure_of(client) is OVERLOADED
        assert kinds == []
        await client.close()
        await client.run()
    assert kinds == [CONNECTION_LOST] * MAX_QUEUED_CALLS


async def test_a_call_that_has_waited_too_long_or_was_cancelled_makes_room() -> None:
    client = steady()
    async with anyio.create_task_group() as tasks:
        for _ in range(MAX_QUEUED_CALLS - 1):
            tasks.start_soon(failure_of, client)
        await anyio.wait_all_tasks_blocked()
        assert await failure_of(client, timeout_s=0.01) is TIMEOUT
        tasks.cancel_scope.cancel()
    assert client._queued == 0


async def test_a_request_waits_for_a_connection_no_longer_than_for_its_answer() -> None:
    with pytest.raises(DeskbusError) as failed:
        await steady().request("a", 1, timeout=10)
    assert failed.value.kind is TIMEOUT


async def test_the_caller_may_choose_otherwise() -> None:
    with pytest.raises(DeskbusError) as refused:
        await steady().call("session.ping", while_closed="refuse")
    assert refused.value.kind is CONNECTION_LOST


async def test_a_client_that_was_closed_refuses_what_would_have_waited() -> None:
    client = steady()
    await client.close()
    await client.run()
    assert client.state == "closed"
    assert await failure_of(client) is CONNECTION_LOST


async def test_what_can_not_be_sent_is_refused_at_the_call_and_does_not_wait() -> None:
    client = steady()
    with pytest.raises(DeskbusError) as failed:
        await client.publish("a", "\ud83d")
    assert failed.value.kind is INVALID_PARAMS
    assert client._queued == 0


async def test_what_waits_is_bounded_in_bytes_too() -> None:
    client = steady()
    third = "x" * (MAX_QUEUED_SIZE // 3)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(client.publish, "a", third)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(DeskbusError) as failed:
            await client.publish("a", third + third)
        assert failed.value.kind is OVERLOADED
        tasks.cancel_scope.cancel()
    assert client._queued_bytes == 0


OPENED = OpenResult(
    app="desk.app",
    client="main",
    epoch="e",
    protocol_version="1",
    version="0",
    resumed=True,
    resume_token="token",
)
ANSWERS: dict[str, object] = {
    "session.open": OPENED,
    "session.resume": OPENED,
    "bus.subscribe": SubscribeResult(mark=Mark(epoch="e", timestamp=1, position=0)),
}


@asynccontextmanager
async def listening(pipe: Path, methods: list[str]) -> AsyncIterator[None]:
    """A backend that lets everybody in and notes the methods that are called."""

    async def serve(stream: ByteStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream):
                while True:
                    for line in (await stream.receive()).split(b"\n")[:-1]:
                        frame = msgspec.json.decode(line)
                        methods.append(frame["method"])
                        result = ANSWERS.get(frame["method"], {})
                        answer = {"jsonrpc": "2.0", "id": frame["id"], "result": result}
                        await stream.send(msgspec.json.encode(answer) + b"\n")
        methods.append("end")

    async with await anyio.create_unix_listener(pipe) as listener, anyio.create_task_group() as t:
        t.start_soon(listener.serve, serve)
        yield
        t.cancel_scope.cancel()


@pytest.mark.parametrize("keep", [False, True])
async def test_a_client_that_closes_leaves_for_good_unless_it_is_to_come_back(
    tmp_path: Path, keep: bool
) -> None:
    async def ticket() -> str:
        return "t"

    methods: list[str] = []
    async with listening(tmp_path / "pipe", methods), anyio.create_task_group() as tasks:
        client = SteadyClient(str(tmp_path / "pipe"), "desk.app", ticket, while_closed="queue")
        tasks.start_soon(client.run)
        await client.call("session.ping")
        await client.close(keep=keep)
        while methods[-1] != "end":
            await anyio.lowlevel.checkpoint()
    expected = [] if keep else ["session.leave"]
    assert methods == ["session.open", "session.ping", *expected, "end"]


async def test_a_client_that_is_closed_while_it_connects_ends_as_soon_as_it_stands(
    tmp_path: Path,
) -> None:
    asked, given = anyio.Event(), anyio.Event()

    async def ticket() -> str:
        asked.set()
        await given.wait()
        return "t"

    methods: list[str] = []
    async with listening(tmp_path / "pipe", methods):
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                client = SteadyClient(str(tmp_path / "pipe"), "desk.app", ticket)
                tasks.start_soon(client.run)
                await asked.wait()
                await client.close()
                given.set()
    assert client.state == "closed"
    assert methods[:2] == ["session.open", "session.leave"]


async def test_what_was_left_without_a_connection_is_left_at_the_next(tmp_path: Path) -> None:
    async def ticket() -> str:
        return "t"

    def note(state: str) -> None:
        if state == "resuming":
            lost.set()
        elif lost.is_set() and state == "open":
            back.set()

    lost, back = anyio.Event(), anyio.Event()
    methods: list[str] = []
    pipe = tmp_path / "pipe"
    async with anyio.create_task_group() as tasks:
        client = SteadyClient(str(pipe), "desk.app", ticket, while_closed="queue", on_state=note)
        tasks.start_soon(client.run)
        async with listening(pipe, methods):
            async with client.subscribe("orders.#", mode="acknowledged"):
                assert client._client is not None
                await client._client.aclose()
                await lost.wait()
            with anyio.fail_after(10):
                await back.wait()
                while "bus.unsubscribe" not in methods:
                    await anyio.lowlevel.checkpoint()
            await client.close(keep=True)
    assert "bus.continue" not in methods


@pytest.mark.parametrize(
    ("is_there", "words", "action"),
    [(False, "Nobody answers on the pipe", "Start the backend"), (True, "ticket", "fresh ticket")],
)
async def test_a_call_without_a_connection_says_what_the_last_attempt_came_to(
    tmp_path: Path, is_there: bool, words: str, action: str
) -> None:
    async def ticket() -> str:
        raise DeskbusError(TICKET_REFUSED)

    pipe, methods = tmp_path / "pipe", list[str]()
    async with (
        listening(tmp_path / ("pipe" if is_there else "other"), methods),
        anyio.create_task_group() as tasks,
    ):
        client = SteadyClient(str(pipe), "desk.app", ticket)
        tasks.start_soon(client.run)
        while client._trouble is None:
            await anyio.lowlevel.checkpoint()
        with pytest.raises(DeskbusError) as failed:
            await client.call("session.ping")
        await client.close()
    assert failed.value.kind is CONNECTION_LOST
    assert words in failed.value.message
    assert action in failed.value.action


class Connected:
    """As much of a connection as a publish needs."""

    def __init__(self) -> None:
        self.posted: list[int] = []

    async def publish(self, topic: str, payload: Raw, **_: object) -> None:
        self.posted.append(msgspec.json.decode(payload))


async def test_what_is_published_as_the_connection_comes_does_not_overtake_what_waited() -> None:
    client, connected = steady(), Connected()
    async with anyio.create_task_group() as tasks:
        for number in (1, 2):
            tasks.start_soon(client.publish, "a", number)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(client.publish, "a", 3)
        client._client = connected  # type: ignore[assignment]
        client._announce()
    assert connected.posted == [1, 2, 3]
