"""The way to the backend's pipe on each platform.

The one module of this package that may know asyncio: anyio has no named pipes.
"""

import asyncio
import errno
import sys
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream

CONNECT_WITHIN_S = 10.0
"""A named pipe may be there and have no room for a moment."""


async def open_pipe(address: str) -> ByteStream:
    """Connects to a Unix socket, or a Windows named pipe; raises `OSError`."""
    if sys.platform == "win32":
        return await open_named_pipe(address, asyncio.get_running_loop())
    else:
        return await anyio.connect_unix(address)


async def open_named_pipe(address: str, loop: Any) -> "PipeStream":
    """By asyncio's Proactor loop, the default on Windows. Raises `OSError`."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        with anyio.fail_after(CONNECT_WITHIN_S):
            transport, _ = await loop.create_pipe_connection(lambda: protocol, address)
    except TimeoutError:
        raise ConnectionRefusedError(errno.ECONNREFUSED, "the pipe has no room") from None
    loop = asyncio.get_running_loop()
    return PipeStream(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


class PipeStream(ByteStream):
    """A connection of asyncio's, as anyio's streams behave."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._closed = False

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if self._closed:
            raise anyio.ClosedResourceError
        try:
            content = await self._reader.read(max_bytes)
        except OSError:
            raise anyio.BrokenResourceError from None
        if content:
            return content
        if self._closed:
            raise anyio.ClosedResourceError
        raise anyio.EndOfStream

    async def send(self, item: bytes) -> None:
        if self._closed:
            raise anyio.ClosedResourceError
        try:
            self._writer.write(item)
            await self._writer.drain()
        except OSError:
            raise anyio.BrokenResourceError from None

    async def send_eof(self) -> None:
        """A named pipe can't be closed in one direction, so this closes it whole."""
        await self.aclose()

    async def aclose(self) -> None:
        self._closed = True
        self._writer.close()
        await anyio.lowlevel.checkpoint()
