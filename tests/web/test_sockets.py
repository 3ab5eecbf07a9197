"""The bus over a WebSocket: the same sessions and methods, for one client or for several."""

import json
import zlib
from contextlib import AsyncExitStack, suppress
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode

from deskbus.web.limits import (
    CHANNEL_WINDOW_BYTES,
    MAX_CHANNELS,
    MAX_FRAGMENTS,
    MAX_SOCKETS_OF_ORIGIN,
)
from tests.web.desk import LIMIT_S, OUTSIDE, TICKER, Paired, WebDesk, call, opening

RESERVED_1 = 0x40
"""Marks a compressed message (RFC 7692, section 6)."""


async def session(desk: WebDesk, socket: ClientConnection, paired: Paired) -> Any:
    made = (await desk.ticket(paired)).json()
    return (await call(socket, "session.open", opening(made["ticket"])))["result"]


async def closed(socket: ClientConnection) -> None:
    """Returns when the gateway has closed the socket."""
    with suppress(ConnectionClosed), anyio.fail_after(LIMIT_S):
        while True:
            await socket.recv()


class Channels:
    """A client's end of a socket that several clients share, by hand."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.received: dict[int, list[Any]] = {}
        self.taken: dict[int, int] = {}
        self.ended: set[int] = set()

    async def send(self, channel: int, method: str, params: object, request_id: int = 1) -> None:
        frame = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        await self._socket.send(f"#{channel}\n{json.dumps(frame)}\n")

    async def take(self, channel: int, size: int) -> None:
        await self._socket.send(f"#{channel}+{size}")

    async def step(self) -> None:
        message = str(await self._socket.recv())
        head, _, body = message.partition("\n")
        if head.endswith("."):
            self.ended.add(int(head[1:-1]))
        elif "+" not in head:
            channel = int(head[1:])
            lines = [json.loads(line) for line in body.split("\n") if line]
            self.received.setdefault(channel, []).extend(lines)
            self.taken[channel] = self.taken.get(channel, 0) + len(body)

    async def answer(self, channel: int, request_id: int = 1) -> Any:
        with anyio.fail_after(LIMIT_S):
            while True:
                for frame in self.received.get(channel, []):
                    if frame.get("id") == request_id and "method" not in frame:
                        return frame
                await self.step()

    async def until(self, channel: int, count: int) -> list[Any]:
        """The messages of a channel, once there are so many."""
        with anyio.fail_after(LIMIT_S):
            while len(self.messages(channel)) < count:
                await self.step()
        return self.messages(channel)

    def messages(self, channel: int) -> list[Any]:
        frames = self.received.get(channel, [])
        return [frame["params"] for frame in frames if frame.get("method") == "bus.message"]


async def test_no_compression_is_agreed_on_and_a_compressed_bomb_ends_the_socket_unread(
    desk: WebDesk,
) -> None:
    bomb = zlib.compress(b" " * 50_000_000, wbits=-zlib.MAX_WBITS)
    async with desk.socket(compression="deflate") as socket:
        assert socket.request is not None
        assert socket.response is not None
        assert "permessage-deflate" in socket.request.headers["sec-websocket-extensions"]
        assert "sec-websocket-extensions" not in socket.response.headers
        first, *rest = Frame(Opcode.TEXT, bomb).serialize(mask=True)
        socket.transport.write(bytes((first | RESERVED_1, *rest)))
        await closed(socket)
        assert socket.close_code == CloseCode.PROTOCOL_ERROR


async def test_strangers_who_hold_sockets_keep_no_browser_out_that_was_let_in(
    desk: WebDesk, paired: Paired
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(desk.socket())
        await session(desk, first, paired)
        strangers = [
            await stack.enter_async_context(desk.socket()) for _ in range(MAX_SOCKETS_OF_ORIGIN)
        ]
        late = await stack.enter_async_context(desk.socket())
        await session(desk, late, paired)
        await closed(strangers[0])
        answer = await call(first, "bus.publish", {"topic": "held.open", "payload": 1})
        assert answer["result"]["seq"] == 1


@pytest.fixture(scope="module")
async def paired(desk: WebDesk) -> Paired:
    return await desk.pair()


async def test_a_message_goes_from_a_page_to_an_app_on_the_pipe_and_back(
    desk: WebDesk, paired: Paired
) -> None:
    async with desk.socket() as socket, desk.shell.app("com.example.blotter") as blotter:
        await session(desk, socket, paired)
        await call(socket, "bus.subscribe", {"pattern": "there"})
        result = await blotter.call("bus.publish", {"topic": "there", "payload": 7}, result=dict)
        assert result["receivers"] == 1
        message = json.loads(await socket.recv())
        assert message["params"]["payload"] == 7
        assert message["params"]["sender"]["app"] == "com.example.blotter"


async def test_a_page_without_a_session_may_do_nothing(desk: WebDesk) -> None:
    async with desk.socket() as socket:
        refused = await call(socket, "bus.publish", {"topic": "t", "payload": 1})
    assert refused["error"]["data"]["category"] == "permission"


async def test_a_page_is_no_shell(desk: WebDesk, paired: Paired) -> None:
    async with desk.socket() as socket:
        await session(desk, socket, paired)
        for method, params in (
            ("session.mintTicket", {"app": TICKER, "client": "x"}),
            ("web.pair", {"app": TICKER}),
            ("session.shutdown", {}),
        ):
            assert (await call(socket, method, params))["error"]["code"] == -32010


@pytest.mark.requirement("6.3")
async def test_a_session_is_taken_up_on_another_socket_with_what_came_meanwhile(
    desk: WebDesk, paired: Paired
) -> None:
    async with desk.socket() as socket:
        opened = await session(desk, socket, paired)
        await call(socket, "bus.subscribe", {"pattern": "kept"})
    async with desk.shell.app("com.example.blotter") as blotter:
        for number in range(3):
            await blotter.call("bus.publish", {"topic": "kept", "payload": number})
    again = {"resumeToken": opened["resumeToken"], "protocolVersion": "1.0", "lastSeqs": {}}
    async with desk.socket() as socket:
        frame = {"jsonrpc": "2.0", "id": 1, "method": "session.resume", "params": again}
        await socket.send(json.dumps(frame))
        got: list[Any] = []
        with anyio.fail_after(LIMIT_S):
            while len(got) < 4:
                lines = str(await socket.recv()).split("\n")
                got += [json.loads(line) for line in lines if line]
    assert [each["params"]["payload"] for each in got if "method" in each] == [0, 1, 2]


@pytest.mark.requirement("5.2")
@pytest.mark.parametrize(
    ("origin", "path", "status"),
    [
        ("http://evil.example", "/bus", 403),
        ("null", "/bus", 403),
        (OUTSIDE, "/bus", 403),
        (None, "/elsewhere", 404),
    ],
)
async def test_a_page_of_another_origin_opens_no_socket(
    desk: WebDesk, origin: str | None, path: str, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with desk.socket(origin=origin, path=path):
            pass
    assert refused.value.response.status_code == status


async def test_a_listed_origin_opens_a_socket_of_its_app(desk: WebDesk) -> None:
    async with desk.socket("com.example.blotter", origin=OUTSIDE) as socket:
        assert (await call(socket, "session.ping", {}))["error"]["code"] == -32011


async def test_clients_that_share_a_socket_have_names_of_their_own(
    desk: WebDesk, paired: Paired
) -> None:
    async with desk.socket() as socket:
        channels = Channels(socket)
        names = []
        for channel in (1, 2):
            made = (await desk.ticket(paired)).json()
            await channels.send(channel, "session.open", opening(made["ticket"]))
            opened = await channels.answer(channel)
            names.append(opened["result"]["client"])
        assert len(set(names)) == 2
        await channels.send(1, "bus.subscribe", {"pattern": "shared"}, 2)
        await channels.answer(1, 2)
        await channels.send(2, "bus.publish", {"topic": "shared", "payload": "hi"}, 2)
        await channels.answer(2, 2)
        (message,) = await channels.until(1, 1)
        assert message["sender"] == {"app": TICKER, "client": names[1]}
        assert channels.messages(2) == []


async def test_a_client_that_does_not_read_holds_up_none_that_shares_its_socket(
    desk: WebDesk, paired: Paired
) -> None:
    size = 64 * 1024
    count = 3 * CHANNEL_WINDOW_BYTES // size
    async with desk.socket() as socket, desk.shell.app("com.example.blotter") as blotter:
        channels = Channels(socket)
        for channel in (1, 2):
            made = (await desk.ticket(paired)).json()
            await channels.send(channel, "session.open", opening(made["ticket"]))
            await channels.answer(channel)
            await channels.send(channel, "bus.subscribe", {"pattern": "flood"}, 2)
            await channels.answer(channel, 2)
        for number in range(count):
            payload = {"number": number, "text": "x" * size}
            await blotter.call("bus.publish", {"topic": "flood", "payload": payload})
            await channels.until(2, number + 1)
            await channels.take(2, channels.taken[2])
            channels.taken[2] = 0
        assert len(channels.messages(2)) == count
        held = len(channels.messages(1))
        assert held <= CHANNEL_WINDOW_BYTES // size + 1
        await channels.take(1, channels.taken[1])
        late = await channels.until(1, held + 1)
        assert [each["payload"]["number"] for each in late] == list(range(len(late)))


async def test_a_channel_that_ends_ends_alone(desk: WebDesk, paired: Paired) -> None:
    async with desk.socket() as socket:
        channels = Channels(socket)
        for channel in (1, 2):
            made = (await desk.ticket(paired)).json()
            await channels.send(channel, "session.open", opening(made["ticket"]))
            await channels.answer(channel)
        await socket.send("#1.")
        with anyio.fail_after(LIMIT_S):
            while 1 not in channels.ended:
                await channels.step()
        await channels.send(2, "session.ping", {}, 9)
        assert (await channels.answer(2, 9))["result"] == {}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("#0\n{}", 1002),
        ("#x\n{}", 1002),
        ("#1-5", 1002),
        ("\n".join(()), None),
    ],
)
async def test_what_names_no_channel_ends_the_socket(
    desk: WebDesk, message: str, code: int | None
) -> None:
    async with desk.socket() as socket:
        await socket.send(message)
        if code is None:
            assert (await call(socket, "session.ping", {}))["error"]["code"] == -32011
            return
        await closed(socket)
        assert socket.close_code == code


async def test_channels_and_fragments_are_bounded(desk: WebDesk) -> None:
    async with desk.socket() as socket:
        for channel in range(1, MAX_CHANNELS + 2):
            await socket.send(f"#{channel}\n ")
        await closed(socket)
        assert socket.close_code == 1008
    async with desk.socket() as socket:
        with suppress(ConnectionClosed):
            await socket.send(" " for _ in range(MAX_FRAGMENTS + 2))
        await closed(socket)
        assert socket.close_code == 1008
