"""Two descriptors as a transport, by two threads: for pipes that the event loop can't watch.

Such are a shell's on Windows: its Proactor loop needs overlapped handles, and inherits others.
"""

import asyncio
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

READ_BYTES = 256 * 1024


class ThreadedPipes(asyncio.WriteTransport):
    """Reads from one descriptor and writes to another, for a protocol that the loop runs.

    The threads are daemons, for a blocking read can't be called back; so the descriptors stay open.
    """

    def __init__(self, protocol: asyncio.Protocol, reading: int, writing: int) -> None:
        super().__init__()
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._wanted = threading.Event()
        self._held = False
        self._pieces: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._size = 0
        self._high, self._low = 64 * 1024, 16 * 1024
        self._behind = self._closing = self._lost = False
        protocol.connection_made(self)
        for run, descriptor in ((self._read, reading), (self._write, writing)):
            name = f"deskbus stdio {run.__name__}"
            threading.Thread(target=run, args=(descriptor,), name=name, daemon=True).start()
        self.resume_reading()

    def pause_reading(self) -> None:
        self._held = True
        self._wanted.clear()

    def resume_reading(self) -> None:
        self._held = False
        self._wanted.set()

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        if self._closing:
            return
        self._size += len(data)
        self._pieces.put(bytes(data))
        if self._size > self._high and not self._behind:
            self._behind = True
            self._protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = self._high if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        return self._size

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._pieces.put(None)

    def abort(self) -> None:
        self.close()
        self._end(None)

    def _read(self, descriptor: int) -> None:
        data = b"begin"
        while data:
            self._wanted.wait()
            self._wanted.clear()
            try:
                data = os.read(descriptor, READ_BYTES)
            except OSError:
                data = b""
            self._tell(self._arrived, data)

    def _write(self, descriptor: int) -> None:
        while (piece := self._pieces.get()) is not None:
            rest = memoryview(piece)
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except OSError as error:
                self._tell(self._end, error)
                return
            self._tell(self._written, len(piece))
        self._tell(self._end, None)

    def _tell(self, told: Callable[[Any], None], what: object) -> None:
        try:
            self._loop.call_soon_threadsafe(told, what)
        except RuntimeError:
            return  # the loop has ended before us

    def _arrived(self, data: bytes) -> None:
        if not data:
            self._end(None)
        elif not self._lost:
            self._protocol.data_received(data)
            if not self._held:
                self._wanted.set()

    def _written(self, size: int) -> None:
        self._size -= size
        if self._behind and self._size <= self._low:
            self._behind = False
            if not self._lost:
                self._protocol.resume_writing()

    def _end(self, error: OSError | None) -> None:
        self._closing = True
        if not self._lost:
            self._lost = True
            self._protocol.connection_lost(error)
