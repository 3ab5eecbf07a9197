"""Two links joined in memory, for tests: the same code as over a pipe, without one."""

import asyncio

from deskbus.transport.link import Link
from deskbus.transport.outbox import Flusher


class MemoryTransport(asyncio.Transport):
    """Hands what is written to the other link in the next loop turn, in order."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._far: Link | None = None
        self._near: Link | None = None
        self._other: MemoryTransport | None = None
        self._closing = False

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

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered here, so no limit applies."""

    def pause_reading(self) -> None:
        """Nothing is buffered here, so there is nothing to hold back."""

    def resume_reading(self) -> None:
        """See `pause_reading`."""


def memory_pair(flusher: Flusher) -> tuple[Link, Link]:
    """Two links; what one sends, the other receives."""
    one, two = Link(flusher, "memory"), Link(flusher, "memory")
    there, back = MemoryTransport(), MemoryTransport()
    there.join(one, two, back)
    back.join(two, one, there)
    return one, two
