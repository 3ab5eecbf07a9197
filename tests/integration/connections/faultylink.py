"""A relay between a client and the backend's pipe or gateway, which can be cut within a frame."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

LOOPBACK = "127.0.0.1"

CHUNK_BYTES = 700
"""Small and odd, so that a cut falls into a frame."""


class _Half(asyncio.Protocol):
    """Hands what comes in on, a chunk a turn of the loop; ends together with its other half."""

    def __init__(self, link: "FaultyLink") -> None:
        self._link = link
        self._held = bytearray()
        self.transport: asyncio.Transport | None = None
        self.other: _Half | None = None
        self.swallows = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._link.halves.add(self)

    def data_received(self, data: bytes) -> None:
        if self.swallows:
            return
        if not self._held:
            asyncio.get_running_loop().call_soon(self._hand_on)
        self._held += data

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.halves.discard(self)
        self._link.changed()
        if self.other is not None and self.other.transport is not None:
            self.other.transport.abort()

    def _hand_on(self) -> None:
        if self.other is not None and self.other.transport is not None:
            chunk = bytes(self._held[: self._allowed()])
            del self._held[: len(chunk)]
            self.other.transport.write(chunk)
            self._handed_on(len(chunk))
        if self._held and self.transport is not None and not self.transport.is_closing():
            asyncio.get_running_loop().call_soon(self._hand_on)

    def _allowed(self) -> int:
        return self._link.chunk_bytes

    def _handed_on(self, size_bytes: int) -> None:
        """Bytes that have gone to the other side."""


class _Far(_Half):
    """The backend's side; what comes from it may be cut short."""

    def _allowed(self) -> int:
        left = self._link.left_bytes
        chunk_bytes = super()._allowed()
        return chunk_bytes if left is None else min(chunk_bytes, left)

    def _handed_on(self, size_bytes: int) -> None:
        if self._link.left_bytes is None:
            return
        self._link.left_bytes -= size_bytes
        if self._link.left_bytes == 0:
            self._link.left_bytes = None
            # Bytes that were handed on still arrive; no more do.
            if self.other is not None and self.other.transport is not None:
                self.other.transport.close()
            if self.transport is not None:
                self.transport.abort()


class _Near(_Half):
    """The client's side; connects to the target when a client has come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._link.connections += 1
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        far = _Far(self._link)
        far.other = self
        loop, target = asyncio.get_running_loop(), self._link.target
        try:
            if isinstance(target, int):
                await loop.create_connection(lambda: far, LOOPBACK, target)
            else:
                await loop.create_unix_connection(lambda: far, target)
        except OSError:
            if self.transport is not None:
                self.transport.abort()
            return
        self.other = far
        self._hand_on()


class FaultyLink:
    """`target` is the path of a pipe, or a port; `port` is the relay's own, where it has one."""

    def __init__(self, path: str, target: str | int) -> None:
        self.path = path
        self.target = target
        self.port = 0
        self.halves: set[_Half] = set()
        self.connections = 0
        self.left_bytes: int | None = None
        self.chunk_bytes = CHUNK_BYTES
        self._changed = asyncio.Event()

    def cut_after(self, size_bytes: int) -> None:
        """Ends the connection when the client has got so many more bytes."""
        self.left_bytes = size_bytes

    def swallow(self) -> None:
        """Hands nothing on for whoever is connected now, and tells neither side."""
        for half in self.halves:
            half.swallows = True

    async def quiet(self) -> None:
        """Returns when nobody is connected."""
        while self.halves:
            await self._changed.wait()

    def changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def cut(self) -> None:
        """Ends every connection at once, with whatever is on its way."""
        for half in list(self.halves):
            if half.transport is not None:
                half.transport.abort()


@asynccontextmanager
async def faulty_link(
    folder: Path, target: str | int, *, over_tcp: bool = False
) -> AsyncIterator[FaultyLink]:
    """Clients come to the link's path, or to its port."""
    link = FaultyLink(str(folder / "faulty.sock"), target)
    loop = asyncio.get_running_loop()
    if over_tcp:
        server = await loop.create_server(lambda: _Near(link), LOOPBACK, 0)
        link.port = server.sockets[0].getsockname()[1]
    else:
        server = await loop.create_unix_server(lambda: _Near(link), link.path)
    try:
        yield link
    finally:
        server.close()
        link.cut()
