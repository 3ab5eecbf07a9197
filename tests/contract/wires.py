"""The carriers that the contract suite runs over, each with both framings.

A wire joins a real `Peer` to a client that speaks bytes.
"""

import asyncio
import os
import re
import socket
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import msgspec
from anyio.abc import ByteStream
from starlette.responses import Response
from websockets.speedups import apply_mask

from deskbus.config import WebConfig
from deskbus.rpc.connection import Call, Connection
from deskbus.rpc.dispatch.dispatcher import Dispatcher
from deskbus.rpc.peer import Peer
from deskbus.transport.link import Link
from deskbus.transport.memory import memory_pair
from deskbus.transport.named_pipes.pipe import listen
from deskbus.transport.outbox import Flusher
from deskbus.transport.standard_streams.standard_descriptors import ClaimedDescriptors
from deskbus.transport.standard_streams.stdio import open_stdio
from deskbus.web.origins.sites import Sites
from deskbus.web.server.http_connection import HttpConnection, Listening, config_of
from deskbus.web.web_state import WebState
from deskbus.web.websocket.frames import Opcode
from deskbus.web.websocket.sockets import WebSockets
from deskbus_protocol.manifest import Manifest, WindowSpec
from deskbus_protocol.wire.framing import FramingDecoder, encode_content_length, encode_line

CARRIERS = ("memory", "stdio", "pipe", "websocket")
FRAMINGS = ("lines", "content-length")
ANSWER_LIMIT_S = 10


class RawStream(Protocol):
    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """Raises `anyio.EndOfStream`."""

    async def close(self) -> None: ...


class Wire:
    """The client's end: sends frames or bare bytes, receives decoded frames."""

    def __init__(self, stream: RawStream, framing: str, peer: Peer) -> None:
        self._stream = stream
        self._encode = encode_line if framing == "lines" else encode_content_length
        self._framing = framing
        self._decoder = FramingDecoder()
        self._frames: deque[Any] = deque()
        self.peer = peer

    async def send(self, *frames: object) -> None:
        texts = [f if isinstance(f, bytes) else msgspec.json.encode(f) for f in frames]
        await self.send_bytes(b"".join(self._encode(text) for text in texts))

    async def send_bytes(self, data: bytes) -> None:
        await self._stream.send(data)

    async def receive(self) -> Any:
        """The next frame; raises `anyio.EndOfStream` when the other side has closed."""
        if self._frames:
            return self._frames.popleft()
        with anyio.fail_after(ANSWER_LIMIT_S):
            while not self._frames:
                data = await self._stream.receive()
                expected = rb"Content-Length: \d+\r\n" if self._framing != "lines" else rb"[{\[]"
                if not self._decoder.content_length and not getattr(self, "_seen", False):
                    assert re.match(expected, data), "answered in the other framing"
                    self._seen = True
                block = self._decoder.feed(data)
                self._frames += [msgspec.json.decode(line) for line in block.split(b"\n")[:-1]]
        return self._frames.popleft()

    async def ask(self, method: str, params: object = None, request_id: object = 1) -> Any:
        await self.send(request(method, params, request_id))
        return await self.receive()

    async def close(self) -> None:
        await self._stream.close()


def request(method: str, params: object = None, request_id: object = 1) -> dict[str, Any]:
    frame = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return frame if params is None else frame | {"params": params}


@asynccontextmanager
async def open_wire(
    carrier: str, framing: str, dispatcher: Dispatcher, folder: Path
) -> AsyncIterator[Wire]:
    flusher = Flusher()
    opened = {"memory": _memory, "stdio": _stdio, "pipe": _pipe, "websocket": _websocket}[carrier]
    async with opened(flusher, folder) as (link, stream), anyio.create_task_group() as tasks:

        async def dispatch(method: str, params: msgspec.Raw, request_id: bytes) -> bytes:
            call = Call(connection, request_id)
            return await dispatcher.dispatch(call, method, params, request_id)

        peer = Peer(link, dispatch)
        connection = Connection(peer, shell_link=False)
        tasks.start_soon(peer.run)
        wire = Wire(stream, framing, peer)
        try:
            yield wire
        finally:
            await wire.close()
            link.abort()
            tasks.cancel_scope.cancel()


class _Memory:
    """The far link of a memory pair, as a stream."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._send, self._receive = anyio.create_memory_object_stream[bytes](10_000)
        link.data_received = self._send.send_nowait  # type: ignore[assignment,method-assign]
        link.connection_lost = lambda _: self._send.close()  # type: ignore[assignment,method-assign]

    async def send(self, data: bytes) -> None:
        assert self._link.outbox._writer is not None
        self._link.outbox._writer.write(data)
        await anyio.lowlevel.checkpoint()

    async def receive(self) -> bytes:
        return await self._receive.receive()

    async def close(self) -> None:
        self._link.close()
        self._receive.close()


class _Stream:
    """An anyio byte stream."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def send(self, data: bytes) -> None:
        await self._stream.send(data)

    async def receive(self) -> bytes:
        return await self._stream.receive()

    async def close(self) -> None:
        await self._stream.aclose()


class _WebSocketStream:
    """The client's end of a WebSocket: what is sent is one message, which never ends."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._opcode = Opcode.TEXT
        self._held = b""

    async def send(self, data: bytes) -> None:
        head = bytes((self._opcode, 0x80 | 127)) + len(data).to_bytes(8, "big")
        self._opcode = Opcode.CONTINUATION
        mask = os.urandom(4)
        await self._stream.send(head + mask + apply_mask(data, mask))

    async def receive(self) -> bytes:
        while True:
            frame = self._cut()
            if frame is None:
                self._held += await self._stream.receive(1024 * 1024)
                continue
            opcode, payload = frame
            if opcode == Opcode.CLOSE:
                raise anyio.EndOfStream
            return payload

    def _cut(self) -> tuple[int, bytes] | None:
        if len(self._held) < 2:
            return None
        size, start = self._held[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(self._held[2:start], "big")
        if len(self._held) < start + size:
            return None
        opcode, payload = self._held[0] & 0x0F, self._held[start : start + size]
        self._held = self._held[start + size :]
        return opcode, payload

    async def close(self) -> None:
        await self._stream.aclose()


class _Files:
    """The far ends of two operating-system pipes."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing

    async def send(self, data: bytes) -> None:
        await anyio.to_thread.run_sync(self._write, data)

    async def receive(self) -> bytes:
        data = await anyio.to_thread.run_sync(
            os.read, self._reading, 65_536, abandon_on_cancel=True
        )
        if not data:
            raise anyio.EndOfStream
        return data

    async def close(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._writing, data) :]


@asynccontextmanager
async def _memory(flusher: Flusher, _: Path) -> AsyncIterator[tuple[Link, RawStream]]:
    near, far = memory_pair(flusher)
    yield near, _Memory(far)


@asynccontextmanager
async def _stdio(flusher: Flusher, _: Path) -> AsyncIterator[tuple[Link, RawStream]]:
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    link = Link(flusher)
    await open_stdio(link, ClaimedDescriptors(read=ours_in, write=ours_out))
    try:
        yield link, _Files(theirs_in, theirs_out)
    finally:
        os.close(theirs_in)


@asynccontextmanager
async def _websocket(flusher: Flusher, folder: Path) -> AsyncIterator[tuple[Link, RawStream]]:
    listening_socket = socket.create_server(("127.0.0.1", 0))
    port = listening_socket.getsockname()[1]
    window = WindowSpec(url="index.html")
    manifest = Manifest(id="contract.page", name="Page", windows=[window])
    sites = Sites(WebConfig(), port, [(manifest, folder)])
    accepted, links = anyio.create_memory_object_stream[Link](1)
    sockets = WebSockets(sites, flusher, accepted.send_nowait, WebState(configured=True))
    listening = Listening(config_of(Response(status_code=404)), sockets)
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpConnection(listening), sock=listening_socket
    )
    site = sites.of("contract.page")
    assert site is not None
    request = "\r\n".join(
        (
            "GET /bus HTTP/1.1",
            f"host: {site.authority}",
            f"origin: {site.origin}",
            "connection: Upgrade",
            "upgrade: websocket",
            "sec-websocket-version: 13",
            "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==",
            "\r\n",
        )
    )
    with accepted, links:
        try:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(request.encode())
                answer = b""
                while not answer.endswith(b"\r\n\r\n"):
                    answer += await stream.receive(1)
                assert answer.startswith(b"HTTP/1.1 101 ")
                client = _WebSocketStream(stream)
                # A link begins with a socket's first message.
                await stream.send(b"\x81\x80\0\0\0\0")
                yield await links.receive(), client
        finally:
            server.close()
            sockets.close()


@asynccontextmanager
async def _pipe(flusher: Flusher, folder: Path) -> AsyncIterator[tuple[Link, RawStream]]:
    accepted, links = anyio.create_memory_object_stream[Link](1)
    with accepted, links:
        async with (
            listen(folder, flusher, accepted.send_nowait) as path,
            await anyio.connect_unix(path) as stream,
        ):
            yield await links.receive(), _Stream(stream)
