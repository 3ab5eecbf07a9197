"""Icons of apps as data that a dialog shows: fetched here, checked and bounded.

A page that draws a dialog loads nothing from anywhere, so no server learns of a choice.
"""

import base64
import re
import struct
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import structlog
from msgspec import UnsetType

from deskbus.fdc3.directory.app_record import AppRecord, Icon
from deskbus.fdc3.directory.sources import SourceError, fetch
from deskbus.reliability.background_tasks import BackgroundTasks
from deskbus.storage.awake_clock import awake_s
from deskbus.storage.regular_file import read_regular_file
from deskbus_protocol.ui import MAX_ICON_BYTES

SHOWN_PIXELS = 34
"""The edge of an icon in a dialog, in pixels; a larger one is scaled down."""

MAX_PIXELS = 1024
"""The longest edge that an icon may have: a small file may hold a picture of any size."""

WITHIN_S = 0.5
"""How long a dialog waits for icons. Icons that come later are there for the next one."""

AGAIN_AFTER_S = 300.0
"""Delay from a failure to the next attempt."""

AT_ONCE = 4
"""Threads that load icons, those that no dialog waits for any more among them."""

MAX_KEPT = 256
"""Icons that are kept, and as many that are being loaded."""

MAX_SHOWN_BYTES = 1024 * 1024
"""Size of all icons in one dialog, as data URLs; further apps show their first letter."""

_SIZE = re.compile(r"([0-9]{1,4})x[0-9]{1,4}")
_PNG = b"\x89PNG\r\n\x1a\n"

log = structlog.get_logger()


class Picture(NamedTuple):
    kind: str
    width: int
    height: int


class _Attempt(NamedTuple):
    """`data` is a data URL; empty where there is none, until `again_s`."""

    data: str
    again_s: float


class Icons:
    """Icons by FDC3's app id. `folders` are those of the files that local records are from."""

    def __init__(self) -> None:
        self._folders: dict[str, Path] = {}
        self._kept: dict[str, _Attempt] = {}
        self._threads = anyio.CapacityLimiter(AT_ONCE)
        self._loading: dict[str, anyio.Event] = {}
        self._tasks = BackgroundTasks()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Loads icons meanwhile; at any other time there are those that were loaded before."""
        async with self._tasks.running():
            yield

    def directory_changed(self, folders: dict[str, Path]) -> None:
        self._folders = folders
        self._kept.clear()

    async def of(self, records: Iterable[AppRecord]) -> dict[str, str]:
        """The icons that are there in time, as data URLs, in all as large as a dialog may have."""
        wanted = {record.app_id: record for record in records if record.icons}
        with anyio.move_on_after(WITHIN_S):
            for record in wanted.values():
                self._begin(record)
            for app_id in wanted:
                if app_id in self._loading:
                    await self._loading[app_id].wait()
        return dict(self._fitting(wanted))

    def _fitting(self, wanted: Iterable[str]) -> Iterator[tuple[str, str]]:
        left = MAX_SHOWN_BYTES
        for app_id in wanted:
            data = self._kept[app_id].data if app_id in self._kept else ""
            if data and len(data) <= left:
                left -= len(data)
                yield app_id, data

    def _begin(self, record: AppRecord) -> None:
        app_id = record.app_id
        known = self._kept.get(app_id)
        is_due = known is None or (not known.data and awake_s() >= known.again_s)
        if is_due and app_id not in self._loading and len(self._loading) < MAX_KEPT:
            loaded = anyio.Event()
            if self._tasks.start(self._load, record, loaded):
                self._loading[app_id] = loaded

    async def _load(self, record: AppRecord, loaded: anyio.Event) -> None:
        app_id, data = record.app_id, ""
        try:
            # Only the end of everything gives a thread up: to do so returns its place at once.
            data = await anyio.to_thread.run_sync(
                load_icon,
                best_icon(record.icons),
                self._folders.get(app_id),
                limiter=self._threads,
                abandon_on_cancel=True,
            )
        except (OSError, SourceError, ValueError) as error:
            log.info("fdc3.icon", app_id=app_id, problem=str(error)[:200])
        finally:
            del self._loading[app_id]
            self._keep(app_id, data)
            loaded.set()

    def _keep(self, app_id: str, data: str) -> None:
        while len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[app_id] = _Attempt(data, awake_s() + AGAIN_AFTER_S)


def best_icon(icons: list[Icon]) -> Icon:
    """The smallest that is not scaled up, by the sizes that the record says."""

    def fitness(icon: Icon) -> tuple[bool, int]:
        told = None if isinstance(icon.size, UnsetType) else _SIZE.match(icon.size)
        edge = SHOWN_PIXELS * 2 if told is None else int(told[1])
        return edge < SHOWN_PIXELS, abs(edge - SHOWN_PIXELS)

    drawn = [icon for icon in icons if not _is_drawing(icon)]
    return min(drawn or icons, key=fitness)


def load_icon(icon: Icon, folder: Path | None) -> str:
    """The icon as a data URL. Blocks; raises `OSError`, `SourceError`, `ValueError`.

    `folder` is that of a local record, whose icon may be a file in it, or below.
    """
    content = _content(icon.src, folder)
    if len(content) > MAX_ICON_BYTES:
        raise SourceError(f"it is larger than {MAX_ICON_BYTES // 1024} KiB")
    picture = picture_of(content)
    if picture is None:
        raise SourceError("it is no PNG, JPEG or GIF")
    if not 0 < max(picture.width, picture.height) <= MAX_PIXELS:
        raise SourceError(f"it is larger than {MAX_PIXELS} pixels")
    return f"data:image/{picture.kind};base64,{base64.b64encode(content).decode()}"


def picture_of(content: bytes) -> Picture | None:
    """The kind and size of a picture by its own first bytes, whatever its name says."""
    if content.startswith(_PNG) and content[12:16] == b"IHDR" and len(content) >= 24:
        return Picture("png", *struct.unpack(">II", content[16:24]))
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 10:
        return Picture("gif", *struct.unpack("<HH", content[6:10]))
    return _jpeg(content) if content.startswith(b"\xff\xd8\xff") else None


def _jpeg(content: bytes) -> Picture | None:
    """The size of a JPEG by its first frame header (ISO 10918-1, SOF)."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return Picture("jpeg", width, height)
        at += 2 + length
    return None


def _content(src: str, folder: Path | None) -> bytes:
    if src.startswith("data:"):
        head, _, body = src.partition(",")
        if not head.endswith(";base64"):
            raise SourceError("its data is not in base64")
        return base64.b64decode(body, validate=True)
    if folder is None or src.startswith("https://"):
        return fetch(src, MAX_ICON_BYTES, "image/png, image/jpeg, image/gif")
    path = folder / src
    if src.startswith("file:"):
        # It brings the whole of HTTP with it, which a start does not need.
        from urllib.request import url2pathname

        path = Path(url2pathname(urlsplit(src).path))
    if not path.resolve().is_relative_to(folder.resolve()):
        raise SourceError("it is not in the folder of its record")
    return read_regular_file(path, MAX_ICON_BYTES)


def _is_drawing(icon: Icon) -> bool:
    """Whether it is SVG, which is not shown."""
    kind = "" if isinstance(icon.type, UnsetType) else icon.type
    return "svg" in kind or urlsplit(icon.src).path.endswith(".svg")
