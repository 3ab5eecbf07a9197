"""A server of somebody else's on the same machine, with pages of theirs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class HostilePages:
    """`pages` are by path; `heard` is every request that came, as it came."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, str] = {}
        self.heard: list[str] = []

    def url(self, host: str = "evil.localhost", path: str = "/") -> str:
        return f"http://{host}:{self.port}{path}"


@asynccontextmanager
async def hostile_pages() -> AsyncIterator[HostilePages]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            head = ""
        pages.heard.append(head)
        path = head.split(" ")[1].partition("?")[0] if head else ""
        body = pages.pages.get(path, "nothing").encode()
        answer = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(body)}\r\n"
        writer.write(answer.encode() + b"connection: close\r\n\r\n" + body)
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    pages = HostilePages(server.sockets[0].getsockname()[1])
    try:
        yield pages
    finally:
        server.close()
