"""A web site that knows of every connection that was made to it."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""

TYPES = {"js": "text/javascript", "css": "text/css", "html": "text/html"}
TYPES |= {"bin": "application/zip", "sse": "text/event-stream"}
BODIES = {"js": "self.loaded = true;", "css": "body { --loaded: yes; }", "html": "<p>here</p>"}


class Site:
    """Answers everything, notes what was asked. `/to?ADDRESS` leads there."""

    def __init__(self, port: int) -> None:
        self.authority = f"127.0.0.1:{port}"
        self.asked: list[str] = []
        """The path of each request; "" for a connection without one."""

    @property
    def origin(self) -> str:
        return f"http://{self.authority}"

    @property
    def socket_origin(self) -> str:
        return f"ws://{self.authority}"

    async def serve(self, stream: SocketStream) -> None:
        number = len(self.asked)
        self.asked.append("")
        async with stream:
            try:
                head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", 65_536)
                lines = head.decode("latin-1").split("\r\n")
                path = lines[0].split(" ")[1]
                self.asked[number] = path
                await stream.send(_answer(path, _headers(lines[1:])))
                if "Upgrade: websocket" in head.decode("latin-1"):
                    await anyio.sleep_forever()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.IncompleteRead):
                return


def _headers(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition(": ") for line in lines)
    return {name.lower(): value for name, _, value in pairs}


def _answer(path: str, headers: dict[str, str]) -> bytes:
    key = headers.get("sec-websocket-key")
    if key is not None:
        digest = hashlib.sha1(f"{key}{WEBSOCKET}".encode(), usedforsecurity=False).digest()
        accept = base64.b64encode(digest).decode()
        return (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ).encode()
    if path.startswith("/to?"):
        return f"HTTP/1.1 302 Found\r\nLocation: {path[4:]}\r\nConnection: close\r\n\r\n".encode()
    ending = path.partition("?")[0].rpartition(".")[2]
    body = BODIES.get(ending, "here").encode()
    return (
        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n"
        f"Content-Type: {TYPES.get(ending, 'text/plain')}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Serves on a port of its own until the block ends."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        served = Site(listener.extra(SocketAttribute.local_port))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, served.serve)
            yield served
            tasks.cancel_scope.cancel()
