"""A virtual X display, and pictures of what stands on it, which no program has to answer for.

Xvfb keeps what it shows in a file of the X window dump format (XWDFile.h).
"""

import os
import shutil
import struct
import tempfile
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import NamedTuple

import anyio
import anyio.to_thread

SIZE = "1920x1200x24"
END_LIMIT_S = 2.0
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# XWDFileHeader: 25 numbers, big-endian; these are the ones that matter.
_HEADER = struct.Struct(">25I")
_COLOUR_BYTES = 12


class ScreenError(Exception):
    """There is no display, or nothing to be seen on it; the message says why."""


class Box(NamedTuple):
    """A part of the screen, in pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Screen:
    """A running display. `name` is what DISPLAY is set to, such as `:3`."""

    name: str
    dump: Path

    def picture(self, box: Box | None = None) -> bytes:
        """A part of the screen, or all of it, as a PNG; raises `ScreenError` if it is blank."""
        try:
            data = self.dump.read_bytes()
            return _png(data, box)
        except (OSError, struct.error) as error:
            raise ScreenError(f"the display can't be read: {error}") from None


def _png(data: bytes, box: Box | None) -> bytes:
    header = _HEADER.unpack_from(data)
    screen = Box(0, 0, header[4], header[5])
    stride, colours = header[12], header[19]
    if header[11] != 32 or header[7] != 0:
        raise ScreenError("the display is not of 32 bits a pixel, lowest byte first")
    pixels = memoryview(data)[header[0] + colours * _COLOUR_BYTES :]
    wanted = _common(screen, box or screen)
    rows = []
    for y in range(wanted.y, wanted.y + wanted.height):
        start = y * stride + wanted.x * 4
        row = pixels[start : start + wanted.width * 4]
        line = bytearray(wanted.width * 3)
        line[0::3], line[1::3], line[2::3] = row[2::4], row[1::4], row[0::4]
        rows.append(bytes(line))
    if not rows or all(line == line[:3] * wanted.width == rows[0] for line in rows):
        raise ScreenError("nothing is drawn there")
    return b"".join(
        (
            PNG_SIGNATURE,
            _chunk(b"IHDR", struct.pack(">2I5B", wanted.width, wanted.height, 8, 2, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
            _chunk(b"IEND", b""),
        )
    )


def _common(screen: Box, box: Box) -> Box:
    left, top = max(box.x, 0), max(box.y, 0)
    right = min(box.x + box.width, screen.width)
    bottom = min(box.y + box.height, screen.height)
    return Box(left, top, max(right - left, 0), max(bottom - top, 0))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@asynccontextmanager
async def virtual_display() -> AsyncIterator[Screen]:
    """Runs Xvfb on a free display until the block ends; raises `ScreenError`."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        raise ScreenError("no display and no Xvfb: run scripts/setup")
    with tempfile.TemporaryDirectory(prefix="deskbus-screen-") as folder:
        reader, writer = os.pipe()
        command = [
            xvfb,
            "-displayfd",
            str(writer),
            "-screen",
            "0",
            SIZE,
            "-nolisten",
            "tcp",
            "-nocursor",
        ]
        try:
            process = await anyio.open_process(
                [*command, "-fbdir", folder],
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,
                pass_fds=[writer],
            )
        finally:
            os.close(writer)
        try:
            with os.fdopen(reader, "rb") as answer:
                number = (await anyio.to_thread.run_sync(answer.readline)).decode().strip()
            if not number:
                raise ScreenError("Xvfb does not start")
            yield Screen(f":{number}", Path(folder) / "Xvfb_screen0")
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.terminate()
                with anyio.move_on_after(END_LIMIT_S):
                    await process.wait()
                if process.returncode is None:
                    process.kill()
                await process.wait()
