"""Pictures, made here: PNG files of one colour, as large as a test wants them."""

import base64
import struct
import zlib


def png(edge: int = 16, padding: int = 0, colour: tuple[int, int, int] = (40, 90, 200)) -> bytes:
    """A square; beyond 64 rows the file only says that there are more."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    row = b"\0" + bytes(colour) * min(edge, 64)
    drawn = zlib.compress(row * min(edge, 64))
    parts = [chunk(b"IHDR", head), chunk(b"tEXt", b"x" * padding), chunk(b"IDAT", drawn)]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IEND", b"")])


def data_url(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
