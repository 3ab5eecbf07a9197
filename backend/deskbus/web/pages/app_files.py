"""AppFiles: the files of an app that a browser may have, and nothing beside them."""

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from deskbus.web.limits import MAX_FILE_BYTES, MAX_PAGE_BYTES
from deskbus.web.origins.sites import Site

PAGE = "text/html; charset=utf-8"

TYPES = {
    ".html": PAGE,
    ".htm": PAGE,
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ico": "image/x-icon",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".otf": "font/otf",
    ".wasm": "application/wasm",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".txt": "text/plain; charset=utf-8",
}
"""Types of the files that are served. Configuration, programs and anything unknown are not."""

BESIDE_PAGES_ONLY = frozenset({".json", ".txt"})
"""Files of these kinds in the folder that holds manifests may be somebody else's data."""

_FORBIDDEN = frozenset('\\:*?"<>|\0')
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(10))}
)


class AppFile(NamedTuple):
    content: bytes
    media_type: str
    tag: str
    """An entity tag (RFC 9110, section 8.8.3), with its quotes."""

    @property
    def is_page(self) -> bool:
        return self.media_type == PAGE


class NoSuchFileError(Exception):
    """There is no such file, or none that a browser may have: the same to whoever asks."""


def segments_of(path: str) -> list[str]:
    """The names in a path that was decoded once; raises `NoSuchFileError`.

    No name is empty, hidden, a way up, or one that another system reads differently (Windows'
    devices, streams, trailing dots and backslashes). A name that is encoded twice has a percent
    sign in it, and no such file is served.
    """
    segments = path.removeprefix("/").split("/")
    for segment in segments:
        if (
            not segment
            or segment.startswith(".")
            or segment.endswith((".", " "))
            or not segment.isprintable()
            or "%" in segment
            or _FORBIDDEN & set(segment)
            or segment.partition(".")[0].lower() in _DEVICES
        ):
            raise NoSuchFileError
    return segments


def read(site: Site, path: str, closed: tuple[Path, ...] = ()) -> AppFile:
    """Reads what a site has at a decoded path. Blocks; raises `NoSuchFileError`.

    `closed` are folders of which nothing is served, wherever a link leads. A link is followed as
    long as it stays in the app's folder.
    """
    segments = segments_of(path)
    suffix = Path(segments[-1]).suffix.lower()
    media_type = TYPES.get(suffix)
    if media_type is None:
        raise NoSuchFileError
    try:
        root = Path(os.path.realpath(site.folder))
        place = Path(os.path.realpath(root.joinpath(*segments), strict=True))
    except (OSError, ValueError):
        raise NoSuchFileError from None
    if not place.is_relative_to(root) or place.suffix.lower() != suffix:
        raise NoSuchFileError
    if any(place.is_relative_to(os.path.realpath(folder)) for folder in closed):
        raise NoSuchFileError
    if suffix in BESIDE_PAGES_ONLY and place.parent == root:
        raise NoSuchFileError
    limit = MAX_PAGE_BYTES if media_type == PAGE else MAX_FILE_BYTES
    content = _content(place, limit)
    return AppFile(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _content(place: Path, limit_bytes: int) -> bytes:
    """The bytes of a plain file, which no link has replaced since it was looked at."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(place, flags | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        raise NoSuchFileError from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NoSuchFileError
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(limit_bytes + 1)
    except OSError:
        raise NoSuchFileError from None
    finally:
        os.close(descriptor)
    if len(content) > limit_bytes:
        raise NoSuchFileError
    return content
