"""What an app consists of, as one hash: its manifest, and the files that the manifest leads to."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from deskbus_protocol.manifest import Manifest

MAX_FILES = 20_000
MAX_BYTES = 1024 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024

_DOMAIN = b"deskbus app content 1\n"


class ContentError(Exception):
    """The app's files can't be read, or are too many."""


def content_hash(manifest: Manifest, folder: Path, *, owns_folder: bool = False) -> str:
    """SHA-256 in hex over the manifest without its signature, and every file of the app.

    `folder` is the one that the manifest's paths are taken from. The files of a window are those
    in its page's folder and below; of a page that lies in `folder` itself it is the page alone, for
    other apps may be there too. Of a process it is the program, where that is a file. An app that
    `owns_folder` consists of all that is in it beside the manifest. Names count, and links count as
    what they say, not as what they lead to. Blocks; raises `ContentError`.
    """
    digest = hashlib.sha256(_DOMAIN)
    _feed(digest, msgspec.json.encode(_said(manifest), order="sorted"))
    seen = size = 0
    try:
        root = folder.resolve()
        files = _all(manifest, root) if owns_folder else _files(manifest, root)
        for path in sorted(files):
            seen += 1
            size += path.lstat().st_size if os.path.lexists(path) else 0
            if seen > MAX_FILES or size > MAX_BYTES:
                raise ContentError(f"{manifest.id} has more than {MAX_FILES} files or 1 GiB.")
            _feed(digest, os.fsencode(os.path.relpath(path, root)))
            _feed(digest, _content(path))
    except OSError as error:
        raise ContentError(f"{manifest.id}: {error.strerror}") from None
    return digest.hexdigest()


def _said(manifest: Manifest) -> dict[str, Any]:
    """What a manifest says, without its signature; what it leaves to a default may change."""
    return {
        field.name: msgspec.to_builtins(value)
        for field in msgspec.structs.fields(Manifest)
        if field.name != "signature"
        and (value := getattr(manifest, field.name)) != _default(field)
        and value is not UNSET
    }


def _default(field: msgspec.structs.FieldInfo) -> object:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _files(manifest: Manifest, folder: Path) -> set[Path]:
    found: set[Path] = set()
    for window in manifest.windows:
        if "://" not in window.url:
            page = folder / window.url.partition("?")[0].partition("#")[0]
            if page.parent.resolve() == folder:
                found.add(page)
            else:
                found.update(_below(page.parent))
    if not isinstance(manifest.process, UnsetType):
        program = folder / manifest.process.cwd / manifest.process.entry
        if program.is_file():
            found.add(program)
    return found


def _all(manifest: Manifest, folder: Path) -> set[Path]:
    """Every file in the folder, but the manifest's own: what that one says counts already."""
    return {path for path in _below(folder) if not _is_manifest(path, folder, manifest)}


def _is_manifest(path: Path, folder: Path, manifest: Manifest) -> bool:
    if path.parent != folder or path.suffix != ".json" or path.is_symlink():
        return False
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.MsgspecError:
        return False
    return _said(found) == _said(manifest)


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        for name in (*names, *folders):
            path = Path(place) / name
            if path.is_symlink() or path.is_file():
                yield path


def _content(path: Path) -> bytes:
    """A hash of what is in it."""
    if path.is_symlink():
        return b"link " + os.fsencode(path.readlink())
    if not path.exists():
        return b"none"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return b"file " + digest.digest()


def _feed(digest: "hashlib._Hash", part: bytes) -> None:
    """With its length before it, so that no two sequences of parts are the same bytes."""
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)
