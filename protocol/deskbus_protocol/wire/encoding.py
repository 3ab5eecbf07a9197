"""Content codings of frames: gzip (RFC 1952) and br (RFC 7932), by their names in RFC 9110.

On a link that has agreed on one, a frame from `MIN_ENCODED_BYTES` on may stand between the lines as
a block of its own, as in the base protocol of the Language Server Protocol with one more header:
`Content-Length: N`, `Content-Encoding: gzip`, an empty line, and N bytes.
"""

import zlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, get_args

from deskbus_protocol.errors import PARSE_ERROR, TOO_LARGE, DeskbusError

Encoding = Literal["br", "gzip"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

MIN_ENCODED_BYTES = 1024
"""Shorter frames are never encoded."""

WORTHWHILE_RATIO = 0.7
"""A frame that stays longer than this part of itself is sent as it is. Base64 of data that was
compressed before comes to three quarters.
"""

GZIP_LEVEL = 1
BROTLI_QUALITY = 1
"""Levels at which a page of JSON takes less time than it saves on a slow line; more save little."""

_GZIP_BITS = 16 + zlib.MAX_WBITS


class EncodedFrame(NamedTuple):
    """A frame as it stands on the wire, behind its headers."""

    encoding: Encoding
    body: bytes


def is_available(encoding: Encoding) -> bool:
    """Whether the library for it is installed; gzip needs none."""
    return encoding == "gzip" or find_spec("brotli") is not None


def encode(encoding: Encoding, frame: bytes) -> bytes | None:
    """The block on the wire; None for what is too short, or does not become shorter."""
    if len(frame) < MIN_ENCODED_BYTES:
        return None
    body = _COMPRESS[encoding](frame)
    if len(body) > WORTHWHILE_RATIO * len(frame):
        return None
    return b"Content-Length: %d\r\nContent-Encoding: %b\r\n\r\n%b" % (
        len(body),
        encoding.encode(),
        body,
    )


def beginning(encoded: EncodedFrame, size_bytes: int) -> bytes:
    """As much of the frame, or nothing where it can't be decoded."""
    return _DECOMPRESS[encoded.encoding](encoded.body, size_bytes)[0][:size_bytes]


def decode(encoded: EncodedFrame, limit_bytes: int) -> bytes:
    """The frame, of which no more than `limit_bytes` is ever made.

    Raises `DeskbusError`: too_large for more, parse_error for what is no such stream.
    """
    frame, is_whole = _DECOMPRESS[encoded.encoding](encoded.body, limit_bytes + 1)
    if len(frame) > limit_bytes:
        raise DeskbusError(TOO_LARGE)
    if not is_whole:
        raise DeskbusError(PARSE_ERROR, "The frame can't be decompressed.")
    return frame


def _gzip(frame: bytes) -> bytes:
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS)
    return packer.compress(frame) + packer.flush()


def _gunzip(body: bytes, limit_bytes: int) -> tuple[bytes, bool]:
    unpacker = zlib.decompressobj(_GZIP_BITS)
    try:
        frame = unpacker.decompress(body, limit_bytes)
    except zlib.error:
        return b"", False
    return frame, unpacker.eof and not unpacker.unused_data


def _brotli() -> Any:
    # Imported where a link has agreed on it.
    import brotli

    return brotli


def _compress_brotli(frame: bytes) -> bytes:
    packed: bytes = _brotli().compress(frame, quality=BROTLI_QUALITY)
    return packed


def _decompress_brotli(body: bytes, limit_bytes: int) -> tuple[bytes, bool]:
    library = _brotli()
    unpacker = library.Decompressor()
    frame = b""
    try:
        # A piece ends where the library's own buffer does, a little beyond the limit.
        while body or (len(frame) < limit_bytes and not unpacker.is_finished()):
            left = limit_bytes - len(frame)
            piece, body = unpacker.process(body, output_buffer_limit=left), b""
            frame += piece
            if not piece:
                break
    except library.error:
        return b"", False
    return frame, unpacker.is_finished()


_COMPRESS: dict[Encoding, Callable[[bytes], bytes]] = {"br": _compress_brotli, "gzip": _gzip}
_DECOMPRESS: dict[Encoding, Callable[[bytes, int], tuple[bytes, bool]]] = {
    "br": _decompress_brotli,
    "gzip": _gunzip,
}
