"""Two framings of one byte stream, as decoders without I/O.

A connection's first byte tells them apart: `{` or `[` (or white space) begins newline-delimited
JSON; a letter begins a `Content-Length` header (Language Server Protocol, base protocol), so a
stock vscode-jsonrpc peer works. Both give whole frames and never hold more than `MAX_FRAME_BYTES`
of an unfinished one.
"""

from typing import Protocol

from deskbus_protocol.errors import TOO_LARGE, DeskbusError

MAX_FRAME_BYTES = 4 * 1024 * 1024
MAX_HEADER_BYTES = 4 * 1024
_HEADER_END = b"\r\n\r\n"


class FramingLostError(Exception):
    """The stream can't be cut into frames any more; the connection has to end."""


class Decoder(Protocol):
    """Cuts a stream into frames.

    `feed` takes what arrived and returns a block: whole frames, each ended by a newline, with no
    newline within. Frames over the limit are left out and told through `take_refusal`.
    """

    def feed(self, data: bytes) -> bytes: ...

    def take_refusal(self) -> DeskbusError | None: ...


class LineDecoder:
    """Newline-delimited JSON: https://github.com/ndjson/ndjson-spec."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._skipping = False
        self._refused = False

    def feed(self, data: bytes) -> bytes:
        end = data.rfind(b"\n") + 1
        if not end:
            self._hold(data)
            return b""
        if self._skipping:
            # The oversized frame ends here; what follows it is sound again.
            start = data.index(b"\n") + 1
            self._skipping = False
            block = data[start:end]
        elif self._held:
            self._held.append(data[:end])
            block = b"".join(self._held)
            self._held.clear()
            self._held_bytes = 0
        else:
            block = data[:end] if end < len(data) else data
        if end < len(data):
            self._hold(data[end:])
        if len(block) > MAX_FRAME_BYTES:
            block = self._without_oversized(block)
        return block

    def take_refusal(self) -> DeskbusError | None:
        refused, self._refused = self._refused, False
        return DeskbusError(TOO_LARGE) if refused else None

    def _hold(self, data: bytes) -> None:
        if self._skipping:
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > MAX_FRAME_BYTES:
            self._held.clear()
            self._held_bytes = 0
            self._skipping = self._refused = True

    def _without_oversized(self, block: bytes) -> bytes:
        lines = [line + b"\n" for line in block.split(b"\n")[:-1]]
        fitting = [line for line in lines if len(line) <= MAX_FRAME_BYTES]
        self._refused = self._refused or len(fitting) < len(lines)
        return b"".join(fitting)


class ContentLengthDecoder:
    """`Content-Length: N`, an empty line, N bytes; other headers are ignored."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_bytes: int | None = None
        self._skip_bytes = 0
        self._refused = False

    def feed(self, data: bytes) -> bytes:
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        while True:
            if self._skip_bytes:
                dropped = min(self._skip_bytes, len(buffer))
                del buffer[:dropped]
                self._skip_bytes -= dropped
                if self._skip_bytes:
                    break
            if self._body_bytes is None and not self._read_header():
                break
            if self._body_bytes is None:
                continue
            if len(buffer) < self._body_bytes:
                break
            # A newline in JSON text is white space between tokens, so a space means the same.
            body = bytes(buffer[: self._body_bytes]).replace(b"\n", b" ").replace(b"\r", b" ")
            del buffer[: self._body_bytes]
            self._body_bytes = None
            frames += (body, b"\n")
        return b"".join(frames)

    def take_refusal(self) -> DeskbusError | None:
        refused, self._refused = self._refused, False
        return DeskbusError(TOO_LARGE) if refused else None

    def _read_header(self) -> bool:
        """Reads one header block, if it is there whole; sets the body's size, or skips it."""
        end = self._buffer.find(_HEADER_END, 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES:
                raise FramingLostError("header over limit")
            return False
        size = _content_length(bytes(self._buffer[:end]))
        del self._buffer[: end + len(_HEADER_END)]
        if size > MAX_FRAME_BYTES:
            self._skip_bytes = size
            self._refused = True
        else:
            self._body_bytes = size
        return True


class FramingDecoder:
    """Picks the framing by the first byte, then is that framing's decoder."""

    def __init__(self) -> None:
        self._decoder: Decoder | None = None

    @property
    def content_length(self) -> bool:
        """Whether the peer speaks, and so wants to be answered in, `Content-Length` framing."""
        return isinstance(self._decoder, ContentLengthDecoder)

    def feed(self, data: bytes) -> bytes:
        if self._decoder is None:
            if not data:
                return b""
            letter = data[:1].isalpha()
            self._decoder = ContentLengthDecoder() if letter else LineDecoder()
        return self._decoder.feed(data)

    def take_refusal(self) -> DeskbusError | None:
        return self._decoder.take_refusal() if self._decoder else None


def encode_line(frame: bytes) -> bytes:
    return frame + b"\n"


def encode_content_length(frame: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(frame), frame)


def _content_length(header: bytes) -> int:
    sizes = []
    for line in header.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            raise FramingLostError("not a header line")
        if name.strip().lower() == b"content-length":
            value = value.strip()
            if not value.isdigit() or len(value) > 15:
                raise FramingLostError("not a length")
            sizes.append(int(value))
    if len(sizes) != 1:
        raise FramingLostError("no single Content-Length")
    return sizes[0]
