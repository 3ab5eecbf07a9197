"""A link: one connection to a peer, whatever carries it."""

import asyncio
from typing import Protocol, cast

from deskbus.transport.outbox import Flusher, Outbox
from deskbus.transport.traffic import TransportName
from deskbus_protocol import rpc
from deskbus_protocol.errors import PARSE_ERROR, DeskbusError
from deskbus_protocol.framing import FramingDecoder, FramingLostError, RefusedFrame

WRITE_HIGH_WATER_BYTES = 4 * 1024 * 1024
"""Above what one read can fan out to one link, so only a slow reader is ever called slow."""

STALL_S = 0.001
MAX_STALLS = 5
"""A sender whose readers are behind is held this long at most, so that bursts are not dropped.

A reader that stays behind is slow; it then loses messages, and holds nobody.
"""

LAST_WRITES_S = 2.0
"""How long a closing link waits for a peer to read what was still written to it."""


NO_PROCESS = 0
"""Where the kernel does not tell; all such peers count as one process."""


class Receiver(Protocol):
    """The receiver of a link's frames."""

    def receive(self, block: bytes) -> None:
        """Takes whole frames, each ended by a newline."""

    def receive_refused(self, refused: RefusedFrame) -> None:
        """Takes word of a frame that was left out."""

    def link_closed(self) -> None:
        """The link has ended; called once."""


class ReadingTransport(Protocol):
    """The part of an asyncio transport that holds a peer back."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Link(asyncio.Protocol):
    """Cuts what arrives into frames for its receiver; its outbox writes the other way.

    A peer that does not read is not read from either, so it stalls itself alone.
    """

    def __init__(self, flusher: Flusher, transport: TransportName = "pipe") -> None:
        self._traffic = flusher.traffic.on(transport)
        self._latency = flusher.latency
        self.outbox = Outbox(flusher, self.abort, self._traffic)
        self.closed = asyncio.Event()
        self.heard_at = 0.0
        """The loop's time of the last bytes from the peer."""
        self.process = NO_PROCESS
        """The id of the peer's process when it connected, as the kernel knows it."""
        self.only_app: str | None = None
        """The one app whose sessions may be opened on it; None where it may be any app's."""
        self._flusher = flusher
        self._framing = FramingDecoder()
        self._receiver: Receiver | None = None
        self._early: list[tuple[list[RefusedFrame], bytes]] = []
        self._transport: asyncio.WriteTransport | None = None
        self._reader: ReadingTransport | None = None
        self._last_writes: asyncio.TimerHandle | None = None

    def bind(self, receiver: Receiver) -> None:
        """Sets who takes the frames; what came before is handed over first."""
        self._receiver = receiver
        early, self._early = self._early, []
        for refused, block in early:
            self._hand_over(receiver, refused, block)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._traffic.links += 1
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        self.read_from(cast(ReadingTransport, transport))
        self.outbox.attach(self._transport)

    def read_from(self, reader: ReadingTransport) -> None:
        """Names the half that is held back while the peer does not read."""
        self._reader = reader

    def data_received(self, data: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        self._traffic.received_bytes += len(data)
        latency = self._latency
        if latency is not None:
            latency.read_begins()
        try:
            block = self._framing.feed(data)
        except FramingLostError:
            self.outbox.send(rpc.failure(rpc.NULL_ID, DeskbusError(PARSE_ERROR)))
            self._flusher.flush()
            self.close()
            return
        self.outbox.content_length = self._framing.content_length
        refused = self._framing.take_refused()
        if self._receiver:
            self._hand_over(self._receiver, refused, block)
        elif refused or block:
            self._early.append((refused, block))
        self._flusher.flush()
        if latency is not None and latency.since_s:
            latency.read_ends()
        if self._flusher.congested:
            self._stall(MAX_STALLS)

    @staticmethod
    def _hand_over(receiver: Receiver, refused: list[RefusedFrame], block: bytes) -> None:
        if block:
            receiver.receive(block)
        for frame in refused:
            receiver.receive_refused(frame)

    def hold(self, for_s: float) -> None:
        """Reads nothing from this peer for a while."""
        if self._reader is not None and not self.closed.is_set():
            self._reader.pause_reading()
            asyncio.get_running_loop().call_later(for_s, self._stall, 0)

    def _stall(self, times: int) -> None:
        """Holds this sender back for a moment, or for as long as its own writes are paused."""
        if self._reader is None or self.closed.is_set():
            return
        if times and self._flusher.congested:
            self._reader.pause_reading()
            asyncio.get_running_loop().call_later(STALL_S, self._stall, times - 1)
        elif not self.outbox.slow:
            self._reader.resume_reading()

    def pause_writing(self) -> None:
        self.outbox.pause()
        if self._reader and not self.closed.is_set():
            self._reader.pause_reading()

    def resume_writing(self) -> None:
        self.outbox.resume()
        if self._reader and not self.closed.is_set():
            self._reader.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.closed.is_set():
            return
        self.closed.set()
        if self._transport is not None:
            self._traffic.links -= 1
        self.outbox.release()
        if self._last_writes is not None:
            self._last_writes.cancel()
        if self._receiver:
            self._receiver.link_closed()
            self._receiver = None

    def close(self) -> None:
        """Closes after the last writes, which the peer has `LAST_WRITES_S` to read."""
        if self._transport is None or self._transport.is_closing():
            return
        self.outbox.flush()
        self._transport.close()
        if not self.closed.is_set():
            loop = asyncio.get_running_loop()
            self._last_writes = loop.call_later(LAST_WRITES_S, self.abort)

    def abort(self) -> None:
        """Closes at once; what the peer has not read is lost."""
        if self._transport is not None and not self.closed.is_set():
            self._transport.abort()
