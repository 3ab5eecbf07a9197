"""Two framings of one byte stream, as decoders without I/O.

A connection's first byte tells them apart: `{` or `[` (or white space) begins newline-delimited
JSON; a letter begins a `Content-Length` header (Language Server Protocol, base protocol), so a
stock vscode-jsonrpc peer works. Both give whole frames and never hold more than `MAX_FRAME_BYTES`
of an unfinished one.
"""

from io import BytesIO
from typing import NamedTuple, Protocol

from deskbus_protocol.errors import PARSE_ERROR, TOO_LARGE, DeskbusError
from deskbus_protocol.wire.encoding import ENCODINGS, EncodedFrame

MAX_FRAME_BYTES = 4 * 1024 * 1024
"""The longest frame that a peer may send."""

MAX_DELIVERED_FRAME_BYTES = MAX_FRAME_BYTES + 1024 * 1024
"""A frame from the backend holds what an app's frame did, and the stamps."""

MAX_HEADER_BYTES = 4 * 1024
"""The limit of the header of a frame with a content length."""

HEAD_BYTES = 4 * 1024
"""Bytes kept of a frame over the limit, from which its id is recovered."""

CONTENT_ENCODING = "content-encoding"
_HEADER_BEGINS = b"\nC"
"""Between a line and the header of a frame in a content coding."""

_HEADER_END = b"\r\n\r\n"
_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'"\n')


def lines_of(block: bytes) -> list[bytes]:
    """The lines of a block, each with its newline. Only a newline ends one: JSON allows a bare
    carriage return between tokens, at which `bytes.splitlines` would cut.
    """
    return BytesIO(block).readlines()


def on_one_line(frame: bytes) -> bytes:
    """The same JSON with a space for each newline between tokens, which means the same.

    Raises `DeskbusError` (parse_error) for a newline within a string, which is no JSON.
    """
    if b"\n" not in frame:
        return frame
    plain = frame.replace(b"\\\\", b"").replace(b'\\"', b"")
    # The quotes of a string without a newline stand side by side; any other is left over.
    marks = plain.translate(None, delete=_NO_MARKS).replace(b'""', b"")
    if b'"' in marks:
        raise DeskbusError(PARSE_ERROR, "A string in the frame holds a bare newline.")
    return frame.replace(b"\n", b" ")


class FramingLostError(Exception):
    """The stream can't be cut into frames any more; the connection has to end."""


class RefusedFrame(NamedTuple):
    """A frame that was left out; of a long one only the `head` was kept."""

    error: DeskbusError
    head: bytes


class Decoder(Protocol):
    """Cuts a stream into frames.

    `feed` takes what arrived and returns a block: whole frames, each ended by a newline, with no
    newline within. Frames that are none are left out, and told by `take_refused`.
    """

    def feed(self, data: bytes) -> bytes: ...

    def take_refused(self) -> list[RefusedFrame]: ...

    @property
    def held_bytes(self) -> int:
        """Of a frame that is not there whole yet."""


class LineDecoder:
    """Newline-delimited JSON: https://github.com/ndjson/ndjson-spec."""

    def __init__(self, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._held: list[bytes] = []
        self.held_bytes = 0
        self._skipping = False
        self._refused: list[RefusedFrame] = []

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
            self.held_bytes = 0
        else:
            block = data[:end] if end < len(data) else data
        if end < len(data):
            self._hold(data[end:])
        if len(block) > self._limit_bytes:
            block = self._without_oversized(block)
        return block

    def take_refused(self) -> list[RefusedFrame]:
        refused, self._refused = self._refused, []
        return refused

    @property
    def is_within_line(self) -> bool:
        return self._skipping or self.held_bytes > 0

    def _hold(self, data: bytes) -> None:
        if self._skipping:
            return
        self._held.append(data)
        self.held_bytes += len(data)
        if self.held_bytes > self._limit_bytes:
            self._refuse(b"".join(self._held))
            self._held.clear()
            self.held_bytes = 0
            self._skipping = True

    def _without_oversized(self, block: bytes) -> bytes:
        fitting = []
        for line in lines_of(block):
            if len(line) <= self._limit_bytes:
                fitting.append(line)
            else:
                self._refuse(line)
        return b"".join(fitting)

    def _refuse(self, frame: bytes) -> None:
        self._refused.append(RefusedFrame(DeskbusError(TOO_LARGE), frame[:HEAD_BYTES]))


class ContentLengthDecoder:
    """`Content-Length: N`, an empty line, N bytes; other headers are ignored."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._body_bytes: int | None = None
        self._skip_bytes = 0
        self._skipped = b""
        self._refused: list[RefusedFrame] = []

    def feed(self, data: bytes) -> bytes:
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        while True:
            if self._skip_bytes and not self._skip():
                break
            if self._body_bytes is None and not self._read_header():
                break
            if self._body_bytes is None:
                continue
            if len(buffer) < self._body_bytes:
                break
            body = bytes(buffer[: self._body_bytes])
            del buffer[: self._body_bytes]
            self._body_bytes = None
            try:
                frames += (on_one_line(body), b"\n")
            except DeskbusError as error:
                self._refused.append(RefusedFrame(error, body[:HEAD_BYTES]))
        return b"".join(frames)

    @property
    def held_bytes(self) -> int:
        return len(self._buffer)

    def take_refused(self) -> list[RefusedFrame]:
        refused, self._refused = self._refused, []
        return refused

    def _skip(self) -> bool:
        """Leaves out what is there of an oversized body; says whether that was all of it."""
        dropped = min(self._skip_bytes, len(self._buffer))
        if len(self._skipped) < HEAD_BYTES:
            self._skipped += self._buffer[: min(dropped, HEAD_BYTES - len(self._skipped))]
            if len(self._skipped) == HEAD_BYTES:
                self._refused.append(RefusedFrame(DeskbusError(TOO_LARGE), self._skipped))
        del self._buffer[:dropped]
        self._skip_bytes -= dropped
        return not self._skip_bytes

    def _read_header(self) -> bool:
        """Reads one header block, if it is there whole; sets the body's size, or skips it."""
        end = self._buffer.find(_HEADER_END, 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES:
                raise FramingLostError("header over limit")
            return False
        size = _content_length(_fields(bytes(self._buffer[:end])))
        del self._buffer[: end + len(_HEADER_END)]
        if size > MAX_FRAME_BYTES:
            self._skip_bytes = size
            self._skipped = b""
        else:
            self._body_bytes = size
        return True


class EncodedFramingDecoder:
    """Lines, among which frames in a content coding may stand; see `encoding`.

    `feed` gives the lines before such a frame, and holds what follows it until `go_on`.
    """

    def __init__(self, lines: LineDecoder, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        """Goes on where `lines` has come to."""
        self._lines = lines
        self._limit_bytes = limit_bytes
        self._buffer = bytearray()
        self.encoded: EncodedFrame | None = None
        """The frame that is to be decoded, and handed on before anything else."""

    def feed(self, data: bytes) -> bytes:
        """Raises `FramingLostError`."""
        if self._buffer or self.encoded is not None:
            self._buffer += data
            if self.encoded is None:
                self._cut()
            return b""
        block = b""
        if self._lines.is_within_line or not data[:1].isalpha():
            # Within strings there is no newline, and no JSON begins with a header's letter.
            end = data.find(_HEADER_BEGINS) + 1
            if not end:
                return self._lines.feed(data)
            block, data = self._lines.feed(data[:end]), data[end:]
        self._buffer += data
        self._cut()
        return block

    def go_on(self) -> bytes:
        """Cuts what follows the encoded frame."""
        self.encoded = None
        if self._buffer[:1].isalpha():
            self._cut()
            return b""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return self.feed(rest)

    def take_refused(self) -> list[RefusedFrame]:
        return self._lines.take_refused()

    @property
    def held_bytes(self) -> int:
        return len(self._buffer) + self._lines.held_bytes

    def _cut(self) -> None:
        """Takes the frame at the beginning, if it is there whole."""
        buffer = self._buffer
        end = buffer.find(_HEADER_END, 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(buffer) >= MAX_HEADER_BYTES:
                raise FramingLostError("header over limit")
            return
        fields = _fields(bytes(buffer[:end]))
        size, begin = _content_length(fields), end + len(_HEADER_END)
        named = fields.get(CONTENT_ENCODING)
        encoding = next((each for each in ENCODINGS if [each] == named), None)
        if encoding is None or size > self._limit_bytes:
            raise FramingLostError("no frame in a content coding")
        if len(buffer) >= begin + size:
            self.encoded = EncodedFrame(encoding, bytes(buffer[begin : begin + size]))
            del buffer[: begin + size]


class FramingDecoder:
    """Picks the framing by the first byte, then is that framing's decoder."""

    def __init__(self) -> None:
        self._decoder: Decoder | None = None

    @property
    def content_length(self) -> bool:
        """Whether the peer speaks, and so wants to be answered in, `Content-Length` framing."""
        return isinstance(self._decoder, ContentLengthDecoder)

    @property
    def held_bytes(self) -> int:
        """Of a frame that is not there whole yet."""
        return self._decoder.held_bytes if self._decoder else 0

    def feed(self, data: bytes) -> bytes:
        if self._decoder is None:
            if not data:
                return b""
            letter = data[:1].isalpha()
            self._decoder = ContentLengthDecoder() if letter else LineDecoder()
        return self._decoder.feed(data)

    def take_refused(self) -> list[RefusedFrame]:
        return self._decoder.take_refused() if self._decoder else []

    def accept_encoded(self) -> EncodedFramingDecoder | None:
        """From now on frames may be in a content coding; None where lines are not the framing."""
        if not isinstance(self._decoder, LineDecoder):
            return None
        self._decoder = EncodedFramingDecoder(self._decoder)
        return self._decoder


def encode_line(frame: bytes) -> bytes:
    return frame + b"\n"


def encode_content_length(frame: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(frame), frame)


def _fields(header: bytes) -> dict[str, list[str]]:
    """The values of each header, by its name in lower case."""
    fields: dict[str, list[str]] = {}
    for line in header.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise FramingLostError("not a header line")
        fields.setdefault(name.strip().lower(), []).append(value.strip())
    return fields


def _content_length(fields: dict[str, list[str]]) -> int:
    sizes = fields.get("content-length", [])
    if len(sizes) != 1:
        raise FramingLostError("no single Content-Length")
    (size,) = sizes
    if not (size.isascii() and size.isdigit()) or len(size) > 15:
        raise FramingLostError("not a length")
    return int(size)
