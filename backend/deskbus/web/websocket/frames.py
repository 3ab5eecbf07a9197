"""WebSocket frames: RFC 6455, section 5, the server's half, without I/O.

No extension is offered, so a reserved bit is an error and nothing is ever unpacked. A message's
fragments are handed on as they come: the limit of a line of JSON is the reader's own.
"""

from enum import IntEnum
from typing import NamedTuple

try:
    from websockets.speedups import apply_mask
except ImportError:
    # Where there is no compiled one.
    from websockets.utils import apply_mask

from deskbus.web.limits import MAX_FRAGMENTS, MAX_WS_FRAME_BYTES

MAX_CONTROL_BYTES = 125
MAX_FRAMES = 1 << 30
"""More than any read has."""


class Opcode(IntEnum):
    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class CloseCode(IntEnum):
    """Section 7.4.1."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009


class WsFrame(NamedTuple):
    """`ends` says that its message is whole with it."""

    opcode: int
    payload: bytes
    ends: bool


class WsProtocolError(Exception):
    """The peer broke the protocol or a limit; the connection has to end with `code`."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class WsDecoder:
    """Cuts a stream into frames, unmasked; holds at most one unfinished frame."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._left: tuple[bytes, int] | None = None
        self._wanted = 0
        self._in_message = False
        self._fragments = 0

    @property
    def unfinished(self) -> bool:
        """Whether a frame or a message has begun and has not ended."""
        return bool(self._held) or self._in_message

    @property
    def has_more(self) -> bool:
        """Whether `go_on` is to be called before more is fed."""
        return self._left is not None

    def feed(self, data: bytes, most: int = MAX_FRAMES) -> list[WsFrame]:
        """The first `most` frames that are whole; the others come by `go_on`.

        Raises `WsProtocolError`; what came before the fault is lost with it.
        """
        if self._held:
            self._held += data
            if len(data) < self._wanted:
                # A long frame is not looked at again before it may be whole.
                self._wanted -= len(data)
                return []
            data = bytes(self._held)
            self._held.clear()
        return self._cut(data, 0, most)

    def go_on(self, most: int) -> list[WsFrame]:
        """The next of what was fed; raises as `feed` does."""
        if self._left is None:
            return []
        data, start = self._left
        self._left = None
        return self._cut(data, start, most)

    def _cut(self, data: bytes, start: int, most: int) -> list[WsFrame]:
        frames: list[WsFrame] = []
        size = len(data)
        while start < size:
            if len(frames) >= most:
                self._left = (data, start)
                break
            end = self._take(data, start, size, frames)
            if not end:
                self._held += data[start:]
                break
            start = end
        return frames

    def _take(self, data: bytes, start: int, size: int, frames: list[WsFrame]) -> int:
        """Takes the frame at `start`; returns where it ends, or 0 where it is not whole."""
        self._wanted = 0
        if size - start < 2:
            return 0
        head, second = data[start], data[start + 1]
        opcode = head & 0x0F
        ends = bool(head & 0x80)
        self._check_head(head, second, opcode, ends)
        length = second & 0x7F
        place = start + 2
        if length == 126:
            place += 2
        elif length == 127:
            place += 8
        if size < place + 4:
            return 0
        if length >= 126:
            length = int.from_bytes(data[start + 2 : place], "big")
        if length > MAX_WS_FRAME_BYTES:
            raise WsProtocolError(CloseCode.TOO_BIG, "a frame is too long")
        end = place + 4 + length
        if size < end:
            self._wanted = end - size
            return 0
        payload = apply_mask(data[place + 4 : end], data[place : place + 4])
        frames.append(WsFrame(opcode, payload, ends))
        if opcode < Opcode.CLOSE:
            self._fragments = 0 if ends else self._fragments + 1
            self._in_message = not ends
            if self._fragments > MAX_FRAGMENTS:
                raise WsProtocolError(CloseCode.POLICY_VIOLATION, "a message has too many frames")
        return end

    def _check_head(self, head: int, second: int, opcode: int, ends: bool) -> None:
        if head & 0x70:
            raise WsProtocolError(CloseCode.PROTOCOL_ERROR, "no extension was agreed on")
        if not second & 0x80:
            raise WsProtocolError(CloseCode.PROTOCOL_ERROR, "a frame is not masked")
        if opcode >= Opcode.CLOSE:
            if opcode > Opcode.PONG or not ends or (second & 0x7F) > MAX_CONTROL_BYTES:
                raise WsProtocolError(CloseCode.PROTOCOL_ERROR, "this is no control frame")
        elif opcode > Opcode.BINARY or (opcode == Opcode.CONTINUATION) != self._in_message:
            raise WsProtocolError(CloseCode.PROTOCOL_ERROR, "this frame does not follow")


def encode_head(opcode: Opcode, size: int) -> bytes:
    """The head of an unmasked frame that is a whole message."""
    first = 0x80 | opcode
    if size < 126:
        return bytes((first, size))
    if size < 0x10000:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def encode_close(code: CloseCode, reason: str) -> bytes:
    payload = code.to_bytes(2, "big") + reason.encode()[: MAX_CONTROL_BYTES - 2]
    return encode_head(Opcode.CLOSE, len(payload)) + payload
