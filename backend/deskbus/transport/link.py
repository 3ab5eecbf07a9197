"""A link: one connection to a peer, whatever carries it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from deskbus.transport.frame_encoding import EncodedOutput, log_failure
from deskbus.transport.outbox import Flusher, Outbox
from deskbus.transport.traffic import TransportName
from deskbus_protocol.errors import PARSE_ERROR, DeskbusError
from deskbus_protocol.wire import rpc
from deskbus_protocol.wire.encoding import EncodedFrame, Encoding
from deskbus_protocol.wire.framing import (
    EncodedFramingDecoder,
    FramingDecoder,
    FramingLostError,
    RefusedFrame,
)

WRITE_HIGH_WATER_BYTES = 4 * 1024 * 1024
"""Above what one read can fan out to one link, so only a slow reader is ever called slow."""

STALL_S = 0.001
MAX_STALLS = 5
"""A sender whose readers are behind is held this long at most, so that bursts are not dropped.

A reader that stays behind is slow; it then loses messages, and holds nobody.
"""

LITTLE_BYTES = 64 * 1024
"""A sender may go on with so much while readers are behind: it is not why they are."""

LAST_WRITES_S = 2.0
"""How long a closing link waits for a peer to read what was still written to it."""


ENCODED: frozenset[TransportName] = frozenset({"pipe", "memory"})
"""Transports on which frames may be encoded."""

NO_PROCESS = 0
"""Where the kernel does not tell; all such peers count as one process."""


class Receiver(Protocol):
    """The receiver of a link's frames."""

    def receive(self, block: bytes) -> None:
        """Takes whole frames, each ended by a newline."""

    def receive_refused(self, refused: RefusedFrame) -> None:
        """Takes word of a frame that was left out."""

    def link_closed(self) -> None:
        """Notes that the link has ended; called once."""


class ReadingTransport(Protocol):
    """The part of an asyncio transport that holds a peer back."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...


class Link(asyncio.Protocol):
    """Cuts what arrives into frames for its receiver; its outbox writes the other way.

    A peer that does not read is not read from either, so it stalls itself alone.
    """

    def __init__(self, flusher: Flusher, transport: TransportName = "pipe") -> None:
        self.transport_name: TransportName = transport
        self._traffic = flusher.traffic.on(transport)
        self._latency = flusher.latency
        self.outbox = Outbox(flusher, self.abort, self._traffic)
        self.closed = asyncio.Event()
        self.heard_at = 0.0
        """The loop's time of the last sign of life of the peer."""
        self._unread_bytes = 0
        """Waiting for a peer that is slow, when they were last looked at."""
        self.received_bytes = 0
        self.process = NO_PROCESS
        """The id of the peer's process when it connected, as the kernel knows it."""
        self.only_app: str | None = None
        """The one app whose sessions may be opened on it; None where it may be any app's."""
        self.has_session = False
        """Whether its peer has proven who it is."""
        self.on_held: Callable[[], None] | None = None
        """Is called after each read, while what this link holds is to be looked at."""
        self._unserved_bytes = 0
        self._flusher = flusher
        self._framing = FramingDecoder()
        self._encoded: EncodedFramingDecoder | None = None
        self._output: EncodedOutput | None = None
        self._decoding: asyncio.Task[None] | None = None
        self._is_decoded = False
        """Whether the encoded frame is handed over, and what follows it is not cut yet."""
        self._is_full = False
        self._receiver: Receiver | None = None
        self._early: list[tuple[list[RefusedFrame], bytes]] = []
        self._transport: asyncio.WriteTransport | None = None
        self._reader: ReadingTransport | None = None
        self._is_reading = True
        self._is_occupied = False
        self._stalls_left = 0
        self._unstalled_bytes = 0
        """Of frames since readers were last abreast, or this sender was held for them."""
        self._is_held = False
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
        self.received_bytes += len(data)
        self._traffic.received_bytes += len(data)
        self._read(lambda: self._framing.feed(data))

    def _read(self, cut: Callable[[], bytes]) -> None:
        """Hands over what `cut` gives of frames."""
        latency = self._latency
        if latency is not None:
            latency.read_begins()
        try:
            block = cut()
        except FramingLostError:
            self.outbox.send(rpc.failure(rpc.NULL_ID, DeskbusError(PARSE_ERROR)))
            self._flusher.flush()
            self.close()
            return
        self._unstalled_bytes += len(block)
        self.outbox.content_length = self._framing.content_length
        refused = self._framing.take_refused()
        if self._receiver:
            self._hand_over(self._receiver, refused, block)
        elif refused or block:
            self._early.append((refused, block))
        self._flusher.flush()
        if self.on_held is not None:
            self._unserved_bytes = len(block)
            self.on_held()
        if latency is not None and latency.since_s:
            latency.read_ends()
        self._stall_if_congested()
        if self._encoded is not None:
            self._decode_next()

    def agree(self, offered: Sequence[str]) -> Encoding | None:
        """Encodes long frames from now on, both ways, as the peer understands that; None where the
        backend does not, or where something else compresses what the link carries.
        """
        encoding = self._flusher.encoding.choose(offered)
        if encoding is None or self.transport_name not in ENCODED or self._transport is None:
            return None
        self._encoded = self._framing.accept_encoded()
        if self._encoded is None:
            return None
        self._output = EncodedOutput(
            self._transport,
            encoding,
            self._flusher.encoding,
            process=self.process,
            traffic=self._traffic,
            on_filled=self._tell_outbox,
        )
        self.outbox.attach(self._output)
        return encoding

    def _decode_next(self) -> None:
        """Has the frame decoded that stands before all others, on a thread."""
        decoder = self._encoded
        if decoder is None or decoder.encoded is None or self._decoding or self._is_occupied:
            return
        self._decoding = asyncio.get_running_loop().create_task(self._decode(decoder.encoded))
        self._read_or_wait()

    async def _decode(self, encoded: EncodedFrame) -> None:
        try:
            found = await self._flusher.encoding.decode(self.process, encoded)
            self._decoding = None
            self._serve_decoded(found)
        except Exception as error:  # noqa: BLE001 - whatever it is, the peer would wait for ever
            # Nothing may be left out, and there is no room to wait.
            log_failure("link.not_decoded", error)
            self.abort()

    def _serve_decoded(self, found: bytes | RefusedFrame) -> None:
        self._is_decoded = True
        if self._receiver is None or self._encoded is None:
            return
        if isinstance(found, RefusedFrame):
            self._hand_over(self._receiver, [found], b"")
        else:
            self._unstalled_bytes += len(found)
            self._hand_over(self._receiver, [], found)
        self._flusher.flush()
        self._go_on()

    def _go_on(self) -> None:
        """Reads on behind a decoded frame, once that is served."""
        if self._encoded is None or self._decoding or self._is_occupied:
            return
        if self._is_decoded:
            self._is_decoded = False
            self._read(self._encoded.go_on)
        else:
            self._decode_next()
        self._read_or_wait()

    @staticmethod
    def _hand_over(receiver: Receiver, refused: list[RefusedFrame], block: bytes) -> None:
        if block:
            receiver.receive(block)
        for frame in refused:
            receiver.receive_refused(frame)

    @property
    def held_bytes(self) -> int:
        """The bytes of incomplete and unserved frames, counted while `on_held` is set."""
        return self._framing.held_bytes + (self._unserved_bytes if self._is_occupied else 0)

    def drop_held(self) -> None:
        """Forgets the frame that is not there whole; nothing more is to be read."""
        self._framing = FramingDecoder()
        self._encoded = None

    def flush(self) -> None:
        """Writes what was sent to anybody meanwhile."""
        self._flusher.flush()

    def occupy(self) -> None:
        """Stops reading from this peer until `vacate`: frames that were read wait to be served."""
        if not self._is_occupied:
            self._is_occupied = True
            self._read_or_wait()

    def vacate(self) -> None:
        """All that was read is served."""
        if self._is_occupied:
            self._is_occupied = False
            # Its peer could say nothing meanwhile.
            self.heard_at = asyncio.get_running_loop().time()
            self._stall_if_congested()
            self._go_on()
            self._read_or_wait()

    def hold(self, for_s: float) -> None:
        """Reads nothing from this peer for a while."""
        if not self._is_held and not self.closed.is_set():
            self._is_held = True
            self._read_or_wait()
            asyncio.get_running_loop().call_later(for_s, self._release)

    def _release(self) -> None:
        self._is_held = False
        self._read_or_wait()

    def _stall_if_congested(self) -> None:
        """Holds a sender of much back for a moment where readers are behind."""
        if not self._flusher.congested:
            self._unstalled_bytes = 0
        elif self._unstalled_bytes > LITTLE_BYTES and not (
            self._stalls_left or self.closed.is_set()
        ):
            self._unstalled_bytes = 0
            self._stalls_left = MAX_STALLS
            self._read_or_wait()
            asyncio.get_running_loop().call_later(STALL_S, self._stall_again)

    def _stall_again(self) -> None:
        self._stalls_left -= 1
        if not self._flusher.congested:
            self._stalls_left = 0
        if self._stalls_left:
            asyncio.get_running_loop().call_later(STALL_S, self._stall_again)
        else:
            self._read_or_wait()

    def _read_or_wait(self) -> None:
        """Reads from the peer unless something is in the way: what it has not read itself, too."""
        if self._reader is None or self.closed.is_set():
            return
        waits = (
            self._is_occupied
            or self._is_held
            or self._stalls_left
            or self.outbox.slow
            or self._decoding is not None
        )
        if waits and self._is_reading:
            self._is_reading = False
            self._reader.pause_reading()
        elif not waits and not self._is_reading:
            self._is_reading = True
            self._reader.resume_reading()

    def pause_writing(self) -> None:
        self._is_full = True
        self._unread_bytes = self._waiting_bytes
        self._tell_outbox()

    def resume_writing(self) -> None:
        self._is_full = False
        self.heard_at = asyncio.get_running_loop().time()
        self._tell_outbox()

    def look_for_progress(self) -> None:
        """A peer that is slow is not read from, so what it has taken is its sign of life."""
        if self._is_full and self._waiting_bytes != self._unread_bytes:
            self._unread_bytes = self._waiting_bytes
            self.heard_at = asyncio.get_running_loop().time()

    @property
    def _waiting_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _tell_outbox(self) -> None:
        """The outbox waits while its peer is behind, or what is to be encoded for it."""
        is_full = self._is_full or (self._output is not None and self._output.is_full)
        if is_full and not self.outbox.slow:
            self.outbox.pause()
        elif not is_full and self.outbox.slow:
            self.outbox.resume()
        self._read_or_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.closed.is_set():
            return
        self.closed.set()
        if self._transport is not None:
            self._traffic.links -= 1
        if self._reader is not None:
            # A half of its own that is held back would never see its end.
            self._reader.close()
        self.outbox.release()
        if self._output is not None:
            self._output.release()
        if self._decoding is not None:
            self._decoding.cancel()
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
        if self._output is None:
            self._transport.close()
        else:
            self._output.when_empty(self._transport.close)
        if not self.closed.is_set():
            loop = asyncio.get_running_loop()
            self._last_writes = loop.call_later(LAST_WRITES_S, self.abort)

    def abort(self) -> None:
        """Closes at once; what the peer has not read is lost."""
        if self._transport is not None and not self.closed.is_set():
            self._transport.abort()
