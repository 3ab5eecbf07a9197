"""WebSocket links: the bus's frames in WebSocket messages, for one client or for several.

A message holds whole lines of JSON, one or many. One that begins with `#N` and a newline belongs to
channel N, which is a link of its own: so the clients of one app that share a socket each have their
session, order and budget, and one that reads slowly holds nobody else up. `#N+BYTES` says that so
many bytes of a channel were taken, `#N.` that it has ended. A message without a `#` is of the one
client that has the socket for itself.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable

from deskbus.reliability.token_bucket import TokenBucket
from deskbus.reliability.work_clock import work_s
from deskbus.rpc.fair_turns import FairTurns
from deskbus.transport.link import LAST_WRITES_S, WRITE_HIGH_WATER_BYTES, Link
from deskbus.transport.outbox import Flusher
from deskbus.web.limits import (
    CHANNEL_WINDOW_BYTES,
    MAX_CHANNELS,
    MAX_CONTROL_FRAMES_PER_S,
    WS_FRAME_WITHIN_S,
)
from deskbus.web.websocket.frames import (
    CloseCode,
    Opcode,
    WsDecoder,
    WsProtocolError,
    encode_close,
    encode_head,
)

ALONE = 0
"""The channel of messages that name none."""

IDLE_WITHIN_S = 30.0
"""How long a socket may have no channel."""

TOLD_BYTES = CHANNEL_WINDOW_BYTES // 4
"""The peer is told when so much was taken; the rest of the window is room enough meanwhile."""

PIECE_BYTES = 128 * 1024
"""Bytes of one channel in one message; its siblings wait for no more."""

COPIED_BYTES = 64 * 1024
"""Up to here head and payload are one write."""

FRAMES_AT_ONCE = 16
"""Served before it is looked at whether the turn is over."""

_CHANNEL = re.compile(rb"#([1-9][0-9]{0,8})(\.|\+([1-9][0-9]{0,8}))?(?:\n|\Z)")


class SocketChannel(asyncio.Transport):
    """A link's place on a socket, as its transport."""

    def __init__(self, socket: "WebSocketConnection", number: int) -> None:
        super().__init__()
        self.number = number
        self.link: Link
        self._socket = socket
        self._head = b"" if number == ALONE else b"#%d\n" % number
        self._closing = False
        self._unsent = bytearray()
        self._unacknowledged = 0
        self._paused = False
        self._reading = True
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._framed = b""
        """The first byte, by which the framing is known; none yet."""
        self._in_line = False
        self._taken = 0
        """Bytes of the peer's that were taken, and that it was not told of yet."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        size = len(data)
        if self.number == ALONE:
            self._socket.send(self._head, bytes(data))
        elif not self._unsent and size <= PIECE_BYTES and self._has_room:
            self._socket.send(self._head, bytes(data))
            self._unacknowledged += size
        else:
            self._unsent += data
            self._send_some()

    @property
    def _has_room(self) -> bool:
        """Whether the window takes one more piece without being full by it."""
        return self._unacknowledged < CHANNEL_WINDOW_BYTES - PIECE_BYTES

    def _send_some(self) -> None:
        """Sends what the window has room for, in pieces that let siblings in between."""
        while self._unsent and self._unacknowledged < CHANNEL_WINDOW_BYTES:
            end = self._unsent.rfind(b"\n", 0, PIECE_BYTES) + 1
            if not end:
                end = self._unsent.find(b"\n", PIECE_BYTES) + 1 or len(self._unsent)
            self._socket.send(self._head, bytes(self._unsent[:end]))
            self._unacknowledged += end
            del self._unsent[:end]
        self.balance()

    def get_write_buffer_size(self) -> int:
        return max(self._socket.unwritten, self._unacknowledged + len(self._unsent))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The socket has one limit for all, and each channel the window."""

    def is_closing(self) -> bool:
        return self._closing or self._socket.is_closing

    def pause_reading(self) -> None:
        self._reading = False
        if self.number == ALONE:
            self._socket.pause_reading()

    def resume_reading(self) -> None:
        if self._reading or self._closing:
            return
        self._reading = True
        if self.number == ALONE:
            self._socket.resume_reading()
            return
        while self._held and self._reading:
            data = self._held.popleft()
            self._held_bytes -= len(data)
            self.take(data)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._socket.end_channel(self)

    def abort(self) -> None:
        if self.number == ALONE:
            self._closing = True
            self._socket.abort()
        else:
            self.close()
            self._socket.drop_unused()

    def acknowledge(self, size: int) -> None:
        """Notes that the peer has taken more bytes."""
        self._unacknowledged = max(self._unacknowledged - size, 0)
        self._send_some()

    def balance(self) -> None:
        """Pauses or resumes the link's writes as socket and window demand."""
        under_way = self._unacknowledged + len(self._unsent)
        full = self._socket.full or under_way >= CHANNEL_WINDOW_BYTES
        if full and not self._paused:
            self._paused = True
            self.link.pause_writing()
            return
        is_low = under_way <= CHANNEL_WINDOW_BYTES // 2
        if self._paused and is_low and not self._socket.full:
            self._paused = False
            self.link.resume_writing()

    def receive(self, data: bytes, ends: bool) -> None:
        """Takes what came of one message; a line ends where a message does."""
        if data:
            self._framed = self._framed or data[:1]
            self._in_line = not data.endswith(b"\n")
        if ends and self._in_line and not self._framed.isalpha():
            data += b"\n"
            self._in_line = False
        if not data:
            return
        if self._reading or self.number == ALONE:
            self.take(data)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > CHANNEL_WINDOW_BYTES + COPIED_BYTES:
            raise WsProtocolError(CloseCode.POLICY_VIOLATION, "a channel ignores its window")

    def take(self, data: bytes) -> None:
        if self._closing:
            return
        self.link.data_received(data)
        self._taken += len(data)
        if self.number != ALONE and self._taken >= TOLD_BYTES:
            self._socket.send(b"#%d+%d" % (self.number, self._taken), b"")
            self._taken = 0


class WebSocketConnection(asyncio.Protocol):
    """One socket. `accept` is handed each of its links; `on_closed` is told once."""

    def __init__(
        self,
        flusher: Flusher,
        only_app: str,
        accept: Callable[[Link], None],
        on_closed: Callable[["WebSocketConnection"], None],
        turns: FairTurns | None = None,
    ) -> None:
        """`turns` are shared by the sockets of one app."""
        self.turns = turns or FairTurns()
        self.only_app = only_app
        self._flusher = flusher
        self._accept = accept
        self._on_closed = on_closed
        self._decoder = WsDecoder()
        self._unread: deque[bytes] = deque()
        self._is_queued = False
        """Whether it waits for a turn, or has one."""

        self._is_held = False
        """Whether the one client of the socket takes nothing at the moment."""

        self._channels: dict[int, SocketChannel] = {}
        self._current: SocketChannel | None = None
        self._in_message = False
        self._loop = asyncio.get_running_loop()
        self._control = TokenBucket(
            MAX_CONTROL_FRAMES_PER_S, 2 * MAX_CONTROL_FRAMES_PER_S, self._loop.time()
        )
        self._transport: asyncio.Transport
        self._deadline: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.full = False
        """Whether the peer has not taken what was written to the socket."""
        self.closed = False

    def begin(self, transport: asyncio.Transport, data: bytes) -> None:
        """Takes over a connection whose handshake is done; `data` came behind that."""
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER_BYTES)
        transport.set_protocol(self)
        self._look_idle()
        if data:
            self.data_received(data)

    @property
    def is_closing(self) -> bool:
        return self._transport.is_closing()

    @property
    def has_session(self) -> bool:
        """Whether one of its clients has proven who it is."""
        return any(channel.link.has_session for channel in self._channels.values())

    @property
    def unwritten(self) -> int:
        return self._transport.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._is_held = True
        self._balance_input()

    def resume_reading(self) -> None:
        self._is_held = False
        self._take_turn()
        self._balance_input()

    @property
    def _has_unread(self) -> bool:
        return self._decoder.has_more or bool(self._unread)

    def _balance_input(self) -> None:
        """Reads no more than is served: frames of a few bytes cost far more than they weigh."""
        if self._transport.is_closing():
            return
        if self._is_held or self._has_unread:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def send(self, head: bytes, data: bytes) -> None:
        """Writes one message, unless the socket is closing: uvloop's transport raises then."""
        if self._transport.is_closing():
            return
        size = len(head) + len(data)
        if size <= COPIED_BYTES:
            self._transport.write(encode_head(Opcode.TEXT, size) + head + data)
        else:
            self._transport.write(encode_head(Opcode.TEXT, size) + head)
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._unread.append(data)
        self._take_turn()
        if self._has_unread:
            self._balance_input()

    def _take_turn(self) -> None:
        if self._has_unread and not self._is_queued and not self._is_held:
            self._is_queued = True
            self.turns.take(self)

    def work(self, until_s: float) -> bool:
        """Serves frames until about `until_s`; returns whether there are more."""
        try:
            while self._has_unread and not self._is_held and not self._transport.is_closing():
                self._serve_some()
                if work_s() >= until_s:
                    break
        except WsProtocolError as error:
            self._fail(error)
        if self._transport.is_closing():
            self._is_queued = False
            return False
        self._watch_frame()
        self._is_queued = self._has_unread and not self._is_held
        if not self._is_queued:
            self._balance_input()
        return self._is_queued

    def _serve_some(self) -> None:
        """Raises `WsProtocolError`."""
        if self._decoder.has_more:
            frames = self._decoder.go_on(FRAMES_AT_ONCE)
        else:
            frames = self._decoder.feed(self._unread.popleft(), FRAMES_AT_ONCE)
        for opcode, payload, ends in frames:
            if opcode >= Opcode.CLOSE:
                self._control_frame(opcode, payload)
            else:
                self._message(payload, ends)
            if self._transport.is_closing():
                return

    def _message(self, payload: bytes, ends: bool) -> None:
        begins = not self._in_message
        self._in_message = not ends
        if begins:
            self._current = None
            if not payload:
                self._spend()
            payload = self._address(payload)
        if self._current is not None:
            self._current.receive(payload, ends)

    def _address(self, payload: bytes) -> bytes:
        """Finds the channel of a message that begins; returns what is its data."""
        if not payload.startswith(b"#"):
            self._current = self._channel(ALONE)
            return payload
        found = _CHANNEL.match(payload)
        if found is None:
            raise WsProtocolError(CloseCode.PROTOCOL_ERROR, "this names no channel")
        number = int(found[1])
        channel = self._channels.get(number)
        if found[2] is None:
            self._current = self._channel(number)
            return payload[found.end() :]
        if channel is not None and found[3] is not None:
            channel.acknowledge(int(found[3]))
        elif channel is not None:
            channel.close()
        return b""

    def _channel(self, number: int) -> SocketChannel:
        channel = self._channels.get(number)
        if channel is None:
            if len(self._channels) >= MAX_CHANNELS:
                raise WsProtocolError(CloseCode.POLICY_VIOLATION, "too many channels")
            channel = self._channels[number] = SocketChannel(self, number)
            link = channel.link = Link(self._flusher, "websocket")
            link.only_app = self.only_app
            link.connection_made(channel)
            if self.full:
                channel.balance()
            self._look_idle()
            self._accept(link)
        return channel

    def end_channel(self, channel: SocketChannel) -> None:
        """Called once of each; its link learns of it in a turn of its own."""
        if self._channels.pop(channel.number, None) is None:
            return
        self._loop.call_soon(channel.link.connection_lost, None)
        if channel.number == ALONE:
            self.close()
        elif not self.closed:
            self.send(b"#%d." % channel.number, b"")
            self._look_idle()

    def _control_frame(self, opcode: int, payload: bytes) -> None:
        self._spend()
        if opcode == Opcode.PING:
            self._transport.write(encode_head(Opcode.PONG, len(payload)) + payload)
        elif opcode == Opcode.CLOSE:
            self.close()

    def _spend(self) -> None:
        if not self._control.take(1, self._loop.time()):
            raise WsProtocolError(CloseCode.POLICY_VIOLATION, "too many frames that say nothing")

    def _watch_frame(self) -> None:
        if not self._decoder.unfinished:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
        elif self._deadline is None:
            self._deadline = self._loop.call_later(WS_FRAME_WITHIN_S, self._too_slow)

    def _too_slow(self) -> None:
        self._fail(WsProtocolError(CloseCode.POLICY_VIOLATION, "a frame takes too long"))

    def _look_idle(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if not self._channels and not self.closed:
            self._idle = self._loop.call_later(IDLE_WITHIN_S, self.close)

    def _fail(self, error: WsProtocolError) -> None:
        self.close(error.code, error.reason)

    def close(self, code: CloseCode = CloseCode.NORMAL, reason: str = "") -> None:
        """Closes after the last writes, which the peer has `LAST_WRITES_S` to read."""
        if self._transport.is_closing():
            return
        for channel in self._channels.values():
            channel.link.outbox.flush()
        self._transport.write(encode_close(code, reason))
        self._transport.close()
        self._loop.call_later(LAST_WRITES_S, self.abort)

    def abort(self) -> None:
        if not self.closed:
            self._transport.abort()

    def drop_unused(self) -> None:
        """Ends the socket whose last client was found dead: the network is gone, most likely."""
        if not self._channels:
            self.abort()

    def pause_writing(self) -> None:
        self.full = True
        for channel in self._channels.values():
            channel.balance()

    def resume_writing(self) -> None:
        self.full = False
        for channel in list(self._channels.values()):
            channel.balance()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        for timer in (self._deadline, self._idle):
            if timer is not None:
                timer.cancel()
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.link.connection_lost(exc)
        self._on_closed(self)
