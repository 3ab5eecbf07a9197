"""Python's client: what can't be sent is refused at the call, and nobody waits for ever."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import msgspec
import pytest
from anyio.abc import ByteStream

from deskbus_protocol.bus import RefusedParams, RespondParams, ResponseFault
from deskbus_protocol.client import Client, Message, connection
from deskbus_protocol.errors import (
    CONNECTION_LOST,
    INVALID_PARAMS,
    TIMEOUT,
    TOO_LARGE,
    DeskbusError,
)
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES


class Line(ByteStream):
    """The client's end of a line, and what the backend sees of it."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self._give, self._take = anyio.create_memory_object_stream[bytes](100)

    def say(self, frame: object) -> None:
        self._give.send_nowait(msgspec.json.encode(frame) + b"\n")

    async def send(self, item: bytes) -> None:
        self.sent.append(msgspec.json.decode(item))

    async def receive(self, max_bytes: int = 65_536) -> bytes:
        return await self._take.receive()

    async def send_eof(self) -> None:
        """Nothing is said any more."""

    async def aclose(self) -> None:
        self._give.close()
        self._take.close()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    await line.aclose()


@pytest.fixture
async def client(line: Line) -> AsyncIterator[Client]:
    async with anyio.create_task_group() as tasks:
        client = Client(line)
        tasks.start_soon(client.run)
        yield client
        await client.aclose()


@pytest.mark.parametrize(
    ("payload", "kind"),
    [("\ud83d", INVALID_PARAMS), (len, INVALID_PARAMS), ("x" * MAX_FRAME_BYTES, TOO_LARGE)],
    ids=["half a pair", "a function", "too large"],
)
async def test_what_can_not_be_sent_is_refused_at_the_call(
    client: Client, line: Line, payload: object, kind: object
) -> None:
    for call in (partial(client.publish, confirm=True), client.publish, client.request):
        with pytest.raises(DeskbusError) as refused:
            await call("a.b", payload)
        assert refused.value.kind is kind
    assert line.sent == []


async def test_a_request_ends_by_its_own_timeout_though_the_backend_says_nothing(
    client: Client,
) -> None:
    with anyio.fail_after(20), pytest.raises(DeskbusError) as failed:
        await client.request("a.b", 1, timeout=10)
    assert failed.value.kind is TIMEOUT


async def test_an_error_that_names_no_call_is_told_as_a_refusal(client: Client, line: Line) -> None:
    told: list[RefusedParams] = []
    heard = anyio.Event()

    def note(refused: RefusedParams) -> None:
        told.append(refused)
        heard.set()

    client.on_refused = note
    line.say({"jsonrpc": "2.0", "id": None, "error": TOO_LARGE_OBJECT})
    with anyio.fail_after(20):
        await heard.wait()
    assert [(refused.method, refused.code) for refused in told] == [("", TOO_LARGE.code)]


async def test_a_mode_that_there_is_not_is_refused_at_the_call(client: Client, line: Line) -> None:
    mode: Any = "acknowledge"
    with pytest.raises(DeskbusError) as failed:
        async with client.subscribe("orders.#", mode=mode):
            raise AssertionError("it was let in")
    assert failed.value.kind is INVALID_PARAMS
    assert "acknowledged" in failed.value.action
    assert line.sent == []


async def test_an_answer_that_can_not_be_sent_is_told_to_who_waits(
    client: Client, line: Line
) -> None:
    async def bad(_: object) -> object:
        return len

    client.handle("test.bad", bad)
    line.say({"jsonrpc": "2.0", "id": 1, "method": "test.bad", "params": {}})
    await anyio.wait_all_tasks_blocked()
    assert [(frame["id"], frame["error"]["code"]) for frame in line.sent] == [(1, -32602)]
    message = msgspec.json.decode(msgspec.json.encode(MESSAGE), type=Message)
    failures: list[DeskbusError] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_settle_last, line)
        try:
            await client.answer(message, len)
        except DeskbusError as error:
            failures.append(error)
    assert [failure.kind for failure in failures] == [INVALID_PARAMS]
    assert "error" in line.sent[-1]["params"]
    assert "payload" not in line.sent[-1]["params"]


@pytest.mark.parametrize("words", ["half \ud83d", "x" * 5000])
async def test_an_error_in_place_of_an_answer_is_told_whatever_is_in_it(
    client: Client, line: Line, words: str
) -> None:
    message = msgspec.json.decode(msgspec.json.encode(MESSAGE), type=Message)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_settle_last, line)
        await client.answer(message, error=words)
    told = msgspec.convert(line.sent[-1]["params"], RespondParams).error
    assert isinstance(told, ResponseFault)
    assert told.message in ("half ?", "x" * 1000)


async def _settle_last(line: Line) -> None:
    await anyio.wait_all_tasks_blocked()
    line.say({"jsonrpc": "2.0", "id": line.sent[-1]["id"], "result": {}})


TOO_LARGE_OBJECT = DeskbusError(TOO_LARGE).to_object()
MESSAGE = {
    "id": "i",
    "topic": "a.b",
    "sender": {"app": "a", "client": "c"},
    "payload": None,
    "timestamp": 1,
    "epoch": "e",
    "seq": 1,
    "correlationId": "c",
    "replyTo": "r",
}


class NarrowLine(Line):
    """Takes the second half of a frame when the backend reads on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.reads_on = anyio.Event(), anyio.Event()
        self.written = b""

    async def send(self, item: bytes) -> None:
        half = len(item) // 2
        self.written += item[:half]
        self.begun.set()
        await self.reads_on.wait()
        self.written += item[half:]


async def test_a_frame_whose_sender_gives_up_is_written_to_its_end_before_the_next() -> None:
    line = NarrowLine()
    client = Client(line)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, anyio.create_task_group() as impatient:
            impatient.start_soon(client.publish, "a.b", "first")
            await line.begun.wait()
            impatient.cancel_scope.cancel()
            tasks.start_soon(client.publish, "a.b", "second")
            line.reads_on.set()
    await client.aclose()
    frames = [msgspec.json.decode(frame) for frame in line.written.splitlines()]
    assert [frame["params"]["payload"] for frame in frames] == ["first", "second"]


async def test_a_backend_that_takes_half_a_frame_alone_loses_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "WRITE_WITHIN_S", 0.05)
    line = NarrowLine()
    client = Client(line)
    with anyio.fail_after(20), pytest.raises(DeskbusError) as lost:
        await client.call("session.ping")
    assert lost.value.kind is CONNECTION_LOST
    assert client.closed.is_set()
