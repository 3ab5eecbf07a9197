"""A peer's promises, over every carrier and in both framings."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.calls_in_progress import MAX_IN_FLIGHT
from deskbus.rpc.dispatch.dispatcher import Dispatcher
from deskbus.rpc.dispatch.method_table import authorize
from deskbus_protocol.errors import TIMEOUT, DeskbusError
from deskbus_protocol.method import Method, Params
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES
from tests.contract.wires import CARRIERS, FRAMINGS, Wire, open_wire, request

FLOOD = 4_000
"""Many times what is in flight, in a pipe or in a stream at once; more only repeats it."""

MANY = 100_000
"""Where all of them are sent: over what carries apps, once."""


class EchoParams(Params, frozen=True, kw_only=True):
    text: str | None


class Handlers:
    """Methods that a contract can be tried on."""

    def __init__(self) -> None:
        self.released = anyio.Event()
        self.waiting = 0
        self.cancelled = anyio.Event()

    async def echo(self, _: Call, params: EchoParams) -> str | None:
        return params.text

    async def wait(self, call: Call, params: EchoParams) -> str | None:
        self.waiting += 1
        call.progress("waiting")
        try:
            await self.released.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled.set()
            raise
        return params.text

    async def fail(self, _: Call, params: EchoParams) -> None:
        raise RuntimeError(f"secret {params.text} in /etc/passwd")

    async def give_up(self, _: Call, params: EchoParams) -> None:
        raise DeskbusError(TIMEOUT, f"{params.text} took too long.")


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture(params=FRAMINGS)
def framing(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=CARRIERS)
def carrier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def wire(
    carrier: str, framing: str, handlers: Handlers, anyio_backend: str
) -> AsyncIterator[Wire]:
    dispatcher = Dispatcher(authorize)
    for name, handler in (
        ("test.echo", handlers.echo),
        ("test.wait", handlers.wait),
        ("test.fail", handlers.fail),
        ("test.giveUp", handlers.give_up),
    ):
        row = Method(name=name, summary="", params=EchoParams, result=str, callers="anyone")
        dispatcher.add(row, handler)
    row = Method(name="test.shellOnly", summary="", params=EchoParams, callers="shell")
    dispatcher.add(row, handlers.echo)
    row = Method(name="test.session", summary="", params=EchoParams, callers="session")
    dispatcher.add(row, handlers.echo)
    if framing == "lines":
        # In the other framing calls are dispatched as before it is loaded; the suite knows no
        # difference.
        dispatcher.load()
    with tempfile.TemporaryDirectory() as folder:
        async with open_wire(carrier, framing, dispatcher, Path(folder) / "run") as opened:
            yield opened


def error_of(frame: Any) -> str:
    return str(frame["error"]["data"]["category"])


@pytest.mark.parametrize("request_id", [1, 0, -5, "seven", "", 2.5, None, 2**53])
async def test_an_id_comes_back_as_it_was_sent(wire: Wire, request_id: object) -> None:
    answer = await wire.ask("test.echo", {"text": "hello"}, request_id)
    assert answer == {"jsonrpc": "2.0", "id": request_id, "result": "hello"}


async def test_a_null_result_is_written_out(wire: Wire) -> None:
    answer = await wire.ask("test.echo", {"text": None})
    assert answer == {"jsonrpc": "2.0", "id": 1, "result": None}


@pytest.mark.requirement("6.5")
async def test_an_unknown_method_and_bad_parameters_are_told_with_code_and_action(
    wire: Wire,
) -> None:
    unknown = await wire.ask("test.nothing", {})
    assert unknown["error"]["code"] == -32601
    bad = await wire.ask("test.echo", {"text": 5, "more": 1})
    assert bad["error"]["code"] == -32602
    assert "text" in bad["error"]["message"]
    assert bad["error"]["data"]["action"]


@pytest.mark.requirement("6.5")
async def test_no_exception_text_reaches_the_wire(wire: Wire) -> None:
    answer = await wire.ask("test.fail", {"text": "token"})
    assert answer["error"]["code"] == -32603
    assert "secret" not in str(answer)
    assert "passwd" not in str(answer)


async def test_an_error_of_the_table_arrives_with_its_own_words(wire: Wire) -> None:
    answer = await wire.ask("test.giveUp", {"text": "it"})
    assert answer["error"]["message"] == "it took too long."
    assert error_of(answer) == "timeout"


@pytest.mark.requirement("3.4")
@pytest.mark.parametrize("method", ["test.shellOnly", "test.session"])
async def test_a_stranger_is_told_to_open_a_session_and_nothing_more(
    wire: Wire, method: str
) -> None:
    answer = await wire.ask(method, {"text": "x"})
    assert answer["error"]["code"] == -32011


async def test_notifications_are_not_answered(wire: Wire) -> None:
    await wire.send({"jsonrpc": "2.0", "method": "test.echo", "params": {"text": "quiet"}})
    assert (await wire.ask("test.echo", {"text": "loud"}))["result"] == "loud"


async def test_a_notification_that_is_refused_is_told_as_a_notification(wire: Wire) -> None:
    await wire.send({"jsonrpc": "2.0", "method": "test.nothing"})
    word = await wire.receive()
    assert (word["method"], "id" in word) == ("bus.refused", False)
    assert (word["params"]["method"], word["params"]["code"]) == ("test.nothing", -32601)


async def test_a_batch_is_answered_as_one_with_every_request_in_it(wire: Wire) -> None:
    await wire.send(
        [
            request("test.echo", {"text": "a"}, 1),
            {"jsonrpc": "2.0", "method": "test.echo", "params": {"text": "n"}},
            request("test.nothing", {}, 2),
            5,
            request("test.echo", {"text": "b"}, "three"),
        ]
    )
    answers = await wire.receive()
    assert {answer["id"] for answer in answers} == {1, 2, None, "three"}
    assert len(answers) == 4


async def test_a_batch_of_notifications_has_no_answer(wire: Wire) -> None:
    await wire.send([{"jsonrpc": "2.0", "method": "test.echo", "params": {"text": "n"}}] * 3)
    assert (await wire.ask("test.echo", {"text": "next"}))["result"] == "next"


async def test_a_cancelled_request_is_answered_and_its_handler_ends(
    wire: Wire, handlers: Handlers
) -> None:
    await wire.send(request("test.wait", {"text": "x"}, "w"))
    assert (await wire.receive())["method"] == "$/progress"
    await wire.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "w"}})
    answer = await wire.receive()
    assert (answer["id"], answer["error"]["code"]) == ("w", -32800)
    assert handlers.cancelled.is_set()


async def test_a_request_cancelled_in_the_same_breath_is_answered_too(wire: Wire) -> None:
    await wire.send(
        request("test.wait", {"text": "x"}, 9),
        {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 9}},
    )
    frames = [await wire.receive()]
    if "method" in frames[0]:
        frames.append(await wire.receive())
    assert frames[-1]["error"]["code"] == -32800


async def test_cancelling_what_is_not_there_does_nothing(wire: Wire) -> None:
    await wire.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 77}})
    await wire.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {}})
    assert (await wire.ask("test.echo", {"text": "still here"}))["result"] == "still here"


async def test_progress_names_its_request(wire: Wire, handlers: Handlers) -> None:
    await wire.send(request("test.wait", {"text": "done"}, 4))
    progress = await wire.receive()
    assert progress["params"] == {"id": 4, "text": "waiting"}
    handlers.released.set()
    assert (await wire.receive())["result"] == "done"


async def test_answers_may_overtake_each_other(wire: Wire, handlers: Handlers) -> None:
    await wire.send(request("test.wait", {"text": "slow"}, 1))
    await wire.receive()
    assert (await wire.ask("test.echo", {"text": "fast"}, 2))["id"] == 2
    handlers.released.set()
    assert (await wire.receive())["id"] == 1


async def test_an_id_in_flight_can_not_be_used_twice(wire: Wire, handlers: Handlers) -> None:
    await wire.send(request("test.wait", {"text": "first"}, 1))
    await wire.receive()
    again = await wire.ask("test.echo", {"text": "second"}, 1)
    assert again["error"]["code"] == -32600
    handlers.released.set()
    assert (await wire.receive())["result"] == "first"


async def test_requests_beyond_the_bound_are_refused_and_the_others_served(
    wire: Wire, handlers: Handlers
) -> None:
    extra = 50
    for number in range(MAX_IN_FLIGHT + extra):
        await wire.send(request("test.wait", {"text": "x"}, number))
    refused = 0
    while refused < extra:
        frame = await wire.receive()
        refused += "error" in frame and frame["error"]["code"] == -32017
    handlers.released.set()
    served = 0
    while served < MAX_IN_FLIGHT:
        served += (await wire.receive()).get("result") == "x"


DEEP = b'{"text":' + b"[" * 200 + b"]" * 200 + b"}"
HALF = b'{"text":"cut \\ud83d"}'
REFUSED = {
    "deep": b'{"jsonrpc":"2.0","id":7,"method":"test.echo","params":%b}' % DEEP,
    "id last": b'{"jsonrpc":"2.0","method":"test.echo","params":%b,"id":7}' % DEEP,
    "half a pair": b'{"jsonrpc":"2.0","id":7,"method":"test.echo","params":%b}' % HALF,
    "repeated key": b'{"jsonrpc":"2.0","id":7,"method":"test.echo","params":{"text":"","text":""}}',
    "not UTF-8": b'{"jsonrpc":"2.0","id":7,"method":"test.echo","params":{"text":"\xff"}}',
    "bare return": b'{"jsonrpc":"2.0","id":7,"method":"test.echo","params":{"text":"\r"}}',
    "broken off": b'{"jsonrpc":"2.0","id":7,"method":"test.echo","params":{"text":"a"',
    "no version": b'{"id":7,"method":"test.echo","params":{"text":"a"}}',
    "too large": b'{"jsonrpc":"2.0","id":7,"method":"test.echo","params":{"text":"%b"}}'
    % (b"x" * MAX_FRAME_BYTES),
}


@pytest.mark.parametrize("frame", REFUSED.values(), ids=REFUSED.keys())
async def test_a_request_refused_as_a_whole_is_answered_with_its_id(
    wire: Wire, frame: bytes
) -> None:
    await wire.send(frame)
    refused = await wire.receive()
    assert refused["id"] == 7
    assert "error" in refused
    assert (await wire.ask("test.echo", {"text": "after"}))["result"] == "after"


@pytest.mark.parametrize("params", [DEEP, HALF], ids=["deep", "half a pair"])
async def test_a_notification_refused_as_a_whole_is_told_to_its_sender(
    wire: Wire, params: bytes
) -> None:
    await wire.send(b'{"jsonrpc":"2.0","method":"bus.publish","params":%b}' % params)
    told = await wire.receive()
    assert (told["method"], told["params"]["method"]) == ("bus.refused", "bus.publish")
    assert told["params"]["code"] == -32700


@pytest.mark.parametrize("result", [DEEP, HALF, b'"%b"' % (b"x" * MAX_FRAME_BYTES)])
async def test_a_call_whose_answer_can_not_be_read_fails_at_once(wire: Wire, result: bytes) -> None:
    """Its id is this side's own: an answer to the answer would end another call over there."""
    await wire.ask("test.echo", {"text": "open"})
    failures: list[DeskbusError] = []

    async def call() -> None:
        with pytest.raises(DeskbusError) as failed:
            await wire.peer.call("client.add", {"a": 1}, int)
        failures.append(failed.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        asked = await wire.receive()
        await wire.send(b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (asked["id"], result))
    assert [failure.kind.name for failure in failures] == ["internal_error"]
    assert (await wire.ask("test.echo", {"text": "after"}))["result"] == "after"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"{nonsense", -32700),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"test.echo"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"text":NaN}}', -32700),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"test.echo","params":{"txt":"a"}}', -32602),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b"[]", -32600),
    ],
    ids=["garbage", "duplicate", "nan", "deep", "misspelt", "neither", "empty batch"],
)
async def test_a_bad_frame_is_answered_and_the_link_goes_on(
    wire: Wire, text: bytes, code: int
) -> None:
    await wire.send(b'{"jsonrpc":"2.0","method":"test.echo","params":{"text":"first"}}')
    await wire.send(text)
    assert (await wire.receive())["error"]["code"] == code
    assert (await wire.ask("test.echo", {"text": "after"}))["result"] == "after"


async def test_a_hundred_megabyte_frame_is_refused_and_the_link_goes_on(
    wire: Wire, framing: str
) -> None:
    size = 100 * 1024 * 1024
    await wire.send(b'{"jsonrpc":"2.0","method":"test.echo","params":{"text":"first"}}')
    if framing != "lines":
        await wire.send_bytes(b"Content-Length: %d\r\n\r\n" % size)
    chunk = b"x" * MAX_FRAME_BYTES
    for _ in range(size // len(chunk)):
        await wire.send_bytes(chunk)
    if framing == "lines":
        await wire.send_bytes(b"\n")
    assert (await wire.receive())["error"]["code"] == -32016
    assert (await wire.ask("test.echo", {"text": "after"}))["result"] == "after"


async def test_an_answer_that_nobody_asked_for_is_ignored(wire: Wire) -> None:
    for stray in ({"id": 99, "result": 1}, {"id": "x", "error": {"code": 1, "message": "m"}}):
        await wire.send({"jsonrpc": "2.0", **stray})
    assert (await wire.ask("test.echo", {"text": "after"}))["result"] == "after"


async def test_a_flood_of_requests_does_no_harm(wire: Wire, carrier: str, framing: str) -> None:
    one = b'{"jsonrpc":"2.0","id":"%d","method":"test.echo","params":{"text":"x"}}'
    total = MANY if (carrier, framing) == ("pipe", "lines") else FLOOD

    async def flood() -> None:
        for start in range(0, total, 1000):
            await wire.send(*(one % number for number in range(start, start + 1000)))

    answered = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(flood)
        while answered < total:
            frame = await wire.receive()
            assert "result" in frame or frame["error"]["code"] == -32017
            answered += 1
    assert (await wire.ask("test.echo", {"text": "after"}))["result"] == "after"


async def test_the_peer_calls_the_other_side_and_gets_its_answer(wire: Wire) -> None:
    await wire.ask("test.echo", {"text": "open"})
    answers: list[Any] = []

    async def call() -> None:
        answers.append(await wire.peer.call("client.add", {"a": 1}, int))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        asked = await wire.receive()
        assert asked["method"] == "client.add"
        await wire.send({"jsonrpc": "2.0", "id": asked["id"], "result": 42})
    assert answers == [42]


async def test_a_call_that_is_not_answered_in_time_is_cancelled(wire: Wire) -> None:
    await wire.ask("test.echo", {"text": "open"})
    with pytest.raises(DeskbusError) as failed:
        await wire.peer.call("client.slow", {}, timeout_s=0.01)
    assert failed.value.kind.name == "timeout"
    asked, cancelled = await wire.receive(), await wire.receive()
    assert cancelled == {
        "jsonrpc": "2.0",
        "method": "$/cancelRequest",
        "params": {"id": asked["id"]},
    }


async def test_closing_wakes_every_waiter_and_ends_every_handler(
    wire: Wire, handlers: Handlers
) -> None:
    failures: list[str] = []

    async def call() -> None:
        try:
            await wire.peer.call("client.never", {})
        except DeskbusError as error:
            failures.append(error.kind.name)

    await wire.send(request("test.wait", {"text": "x"}))
    await wire.receive()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(call)
            for _ in range(3):
                assert (await wire.receive())["method"] == "client.never"
            await wire.close()
        await handlers.cancelled.wait()
    assert failures == ["connection_lost"] * 3
    with pytest.raises(DeskbusError):
        await wire.peer.call("client.late", {})


async def test_a_stream_that_ends_within_a_frame_just_closes(wire: Wire) -> None:
    await wire.ask("test.echo", {"text": "open"})
    await wire.send_bytes(b'{"jsonrpc":"2.0","id":1,"meth')
    await wire.close()
    with anyio.fail_after(10):
        while not wire.peer.closed:
            await anyio.lowlevel.checkpoint()
