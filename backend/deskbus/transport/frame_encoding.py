"""FrameEncoding: frames in a content coding, on links whose peers have agreed on one.

The work is done on threads, for the processes at the other ends in turn: what one of them sends, or
is sent, keeps another waiting for no longer than one block takes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from time import perf_counter
from typing import Protocol

import structlog
from anyio import to_thread

from deskbus.reliability.fair_queue import FairQueue
from deskbus.transport.traffic import TransportTraffic
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.wire import encoding as codings
from deskbus_protocol.wire.encoding import EncodedFrame, Encoding
from deskbus_protocol.wire.framing import (
    HEAD_BYTES,
    MAX_FRAME_BYTES,
    RefusedFrame,
    lines_of,
    on_one_line,
)

AT_ONCE = 2
MAX_WAITING = 65_536
"""Blocks of one process that wait for a turn; a link has two at most."""

HIGH_WATER_BYTES = 1024 * 1024
"""Bytes waiting to be encoded for one link from which on its peer counts as slow."""

MISSES = 8
"""Frames in a row that did not become shorter; of those that follow one in as many is tried."""


CACHED_LINES = 32
CACHED_LINE_BYTES = 64 * 1024
"""Lines up to that length are encoded once for all their readers."""

log = structlog.get_logger()


class EncodingCounts:
    """One direction of all links, since the start. `kept` frames were not worth it."""

    def __init__(self) -> None:
        self.frames = 0
        self.plain_bytes = 0
        self.encoded_bytes = 0
        self.seconds = 0.0
        self.kept = 0

    def add(self, other: "EncodingCounts") -> None:
        self.frames += other.frames
        self.plain_bytes += other.plain_bytes
        self.encoded_bytes += other.encoded_bytes
        self.seconds += other.seconds
        self.kept += other.kept


class FrameEncoding:
    """The encodings that links may agree on, the best one first; none, and nothing is encoded."""

    def __init__(self, allowed: Sequence[Encoding] = ()) -> None:
        self.allowed = tuple(allowed)
        self.sent = EncodingCounts()
        self.received = EncodingCounts()
        self._turns = FairQueue(AT_ONCE, of_one=1, max_waiting=MAX_WAITING)

    def choose(self, offered: Sequence[str]) -> Encoding | None:
        return next((each for each in self.allowed if each in offered), None)

    @asynccontextmanager
    async def turn(self, process: int) -> AsyncIterator[None]:
        """Raises `DeskbusError` (overloaded)."""
        async with self._turns.take(str(process)):
            yield

    async def decode(self, process: int, encoded: EncodedFrame) -> bytes | RefusedFrame:
        """The line that was encoded, no longer than a frame may be; raises as `turn` does."""
        counts = EncodingCounts()
        async with self.turn(process):
            found = await to_thread.run_sync(_decoded, encoded, counts, abandon_on_cancel=True)
        self.received.add(counts)
        return found


def _decoded(encoded: EncodedFrame, counts: EncodingCounts) -> bytes | RefusedFrame:
    began_s = perf_counter()
    found = _line_of(encoded)
    counts.seconds = perf_counter() - began_s
    if isinstance(found, bytes):
        counts.frames = 1
        counts.encoded_bytes = len(encoded.body)
        counts.plain_bytes = len(found)
    return found


def _line_of(encoded: EncodedFrame) -> bytes | RefusedFrame:
    try:
        return on_one_line(codings.decode(encoded, MAX_FRAME_BYTES)) + b"\n"
    except DeskbusError as error:
        return RefusedFrame(error, codings.beginning(encoded, HEAD_BYTES))


def log_failure(event: str, error: Exception) -> None:
    """Says why a link is cut off; a trace of the code only where its failure is not foreseen."""
    log.warning(event, reason=str(error), exc_info=not isinstance(error, DeskbusError))


@lru_cache(maxsize=CACHED_LINES)
def _encoded_once(encoding: Encoding, line: bytes) -> bytes | None:
    return codings.encode(encoding, line[:-1])


class Output(Protocol):
    """The part of an asyncio transport that carries what is encoded."""

    def write(self, data: bytes) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def is_closing(self) -> bool: ...

    def abort(self) -> None: ...


class EncodedOutput:
    """Encodes long lines on their way from an outbox to its link; the order stays."""

    def __init__(
        self,
        output: Output,
        encoding: Encoding,
        shared: FrameEncoding,
        *,
        process: int,
        traffic: TransportTraffic,
        on_filled: Callable[[], None],
    ) -> None:
        """`on_filled` is called when `is_full` has changed."""
        self._output = output
        self._encoding = encoding
        self._shared = shared
        self._process = process
        self._traffic = traffic
        self._on_filled = on_filled
        self._waiting: deque[list[bytes]] = deque()
        self._waiting_bytes = 0
        self._misses = 0
        self._work: asyncio.Task[None] | None = None
        self._when_empty: Callable[[], None] | None = None
        self.is_full = False

    def write(self, data: bytes) -> None:
        lines = lines_of(data) if len(data) >= codings.MIN_ENCODED_BYTES else [data]
        if self._work is None and all(len(line) <= codings.MIN_ENCODED_BYTES for line in lines):
            self._output.write(data)
            return
        self._waiting.append(lines)
        self._waiting_bytes += len(data)
        self._fill(self._waiting_bytes > HIGH_WATER_BYTES)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._write_waiting())

    def get_write_buffer_size(self) -> int:
        return self._waiting_bytes + self._output.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._output.is_closing()

    def when_empty(self, then: Callable[[], None]) -> None:
        """Calls `then` once nothing waits to be encoded."""
        if self._work is None:
            then()
        else:
            self._when_empty = then

    def release(self) -> None:
        """Drops what is still to be encoded for a closed link."""
        if self._work is not None:
            self._work.cancel()
        self._waiting.clear()

    async def _write_waiting(self) -> None:
        try:
            while self._waiting and not self._output.is_closing():
                await self._write_next()
            self._work = None
            if self._when_empty is not None:
                self._when_empty()
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer would wait for ever
            # Nothing may be left out, and there is no room to wait.
            log_failure("link.not_encoded", error)
            self._output.abort()

    async def _write_next(self) -> None:
        lines = self._waiting.popleft()
        size = sum(map(len, lines))
        counts = EncodingCounts()
        async with self._shared.turn(self._process):
            block = await to_thread.run_sync(self._encoded, lines, counts, abandon_on_cancel=True)
        self._shared.sent.add(counts)
        self._waiting_bytes -= size
        self._traffic.sent_bytes += len(block) - size
        self._output.write(block)
        self._fill(self.is_full and self._waiting_bytes > HIGH_WATER_BYTES // 2)

    def _encoded(self, lines: list[bytes], counts: EncodingCounts) -> bytes:
        return b"".join(self._encode(line, counts) for line in lines)

    def _encode(self, line: bytes, counts: EncodingCounts) -> bytes:
        if len(line) <= codings.MIN_ENCODED_BYTES:
            return line
        block = None
        if self._misses < MISSES or self._misses % MISSES == 0:
            began_s = perf_counter()
            encode = _encoded_once if len(line) <= CACHED_LINE_BYTES else _encoded_once.__wrapped__
            block = encode(self._encoding, line)
            counts.seconds += perf_counter() - began_s
        if block is None:
            self._misses += 1
            counts.kept += 1
            return line
        self._misses = 0
        counts.frames += 1
        counts.plain_bytes += len(line)
        counts.encoded_bytes += len(block)
        return block

    def _fill(self, is_full: bool) -> None:
        if is_full != self.is_full:
            self.is_full = is_full
            self._on_filled()
