"""Two links joined in memory, for tests: the same code as over a pipe, without one."""

import asyncio

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher
from deskbus.transport.unbuffered import UnbufferedTransport


class MemoryTransport(UnbufferedTransport):
    """Hands what is written to the other link in the next loop turn, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._far: Link | None = None
        self._near: Link | None = None
        self._other: MemoryTransport | None = None

    def join(self, near: Link, far: Link, other: "MemoryTransport") -> None:
        self._near, self._far, self._other = near, far, other
        near.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing and self._far:
            self._loop.call_soon(self._far.data_received, bytes(data))

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self._near:
            self._loop.call_soon(self._near.connection_lost, None)
        if self._other:
            self._loop.call_soon(self._other.close)
        self._near = self._far = self._other = None


def memory_pair(flusher: Flusher) -> tuple[Link, Link]:
    """Two links; what one sends, the other receives."""
    one, two = Link(flusher, "memory"), Link(flusher, "memory")
    there, back = MemoryTransport(), MemoryTransport()
    there.join(one, two, back)
    back.join(two, one, there)
    return one, two
