"""The content hash of an app: over its manifest, and the files that the manifest leads to."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from deskbus.storage.regular_file import MAX_BYTES as MAX_MANIFEST_BYTES
from deskbus.storage.regular_file import open_regular_file
from deskbus_protocol.manifest import Manifest, ProgramSpec

MAX_FILES = 20_000
MAX_BYTES = 1024 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024

ATTEMPTS = 5
"""How often the files are listed anew because one of them has gone before it was read."""

MANY_ENTRIES = 5_000
"""In a folder with code: beyond, what a package manager has put there is left out."""

PACKAGES = frozenset({"node_modules", ".git", ".venv", "venv", "site-packages"})

CODE = frozenset({
    ".py", ".pyc", ".pyw", ".pyd", ".pyz", ".pth", ".so", ".dylib", ".dll", ".exe",
    ".js", ".mjs", ".cjs", ".node", ".wasm", ".html", ".htm", ".css", ".svg",
    ".sh", ".bash", ".pl", ".pm", ".rb", ".lua", ".jar", ".ps1", ".bat", ".cmd",
})  # fmt: skip
"""Suffixes of what is run, or decides what a page does."""

_DOMAIN = b"deskbus app content 1\n"


class ContentError(Exception):
    """The app's files can't be read, or are too many."""


def content_hash(manifest: Manifest, folder: Path, *, owns_folder: bool = False) -> str:
    """SHA-256 in hex over the manifest without its signature, and every file of the app.

    `folder` is the one that the manifest's paths are taken from. The files of a window are those
    in its page's folder and below; of a page that lies in `folder` itself they are the page and
    all code there and below, for other apps' data may be there too. Those of a process are its
    program and the scripts among its arguments, each with the code beside and below it, wherever
    that is. An app that `owns_folder` consists of all that is in it beside the manifest as well.
    Names count, and links count as what they say and as what they lead to.

    Programs found on PATH, and what an interpreter has of its own, are the system's, not the app's.
    Blocks; raises `ContentError`.
    """
    for _ in range(ATTEMPTS):
        try:
            return _content_hash(manifest, folder, owns_folder=owns_folder)
        except (FileNotFoundError, NotADirectoryError):
            continue  # a program rotates its log there, or an update is being unpacked
        except OSError as error:
            raise ContentError(f"{manifest.id}: {error.strerror}") from None
        except ValueError:
            raise ContentError(f"{manifest.id}: no file can have that name") from None
    raise ContentError(f"{manifest.id}: its files come and go while they are read")


def _content_hash(manifest: Manifest, folder: Path, *, owns_folder: bool) -> str:
    digest = hashlib.sha256(_DOMAIN)
    _feed(digest, msgspec.json.encode(_said(manifest), order="sorted"))
    size = 0
    root = folder.resolve()
    files = _files(manifest, root)
    if owns_folder:
        files |= _all(manifest, root)
    for path in sorted(files):
        size += (path.stat() if path.is_file() else path.lstat()).st_size
        if len(files) > MAX_FILES or size > MAX_BYTES:
            raise ContentError(f"{manifest.id} has more than {MAX_FILES} files or 1 GiB.")
        _feed(digest, os.fsencode(os.path.relpath(path, root)))
        _feed(digest, _content(path))
    return digest.hexdigest()


def _said(manifest: Manifest) -> dict[str, Any]:
    """A manifest's content without its signature; a default that it relies on may change."""
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
                found.update(_code_below(folder))
                if page.is_file():
                    found.add(page)
            else:
                found.update(_below(page.parent))
    if not isinstance(manifest.process, UnsetType):
        found.update(_program(manifest.process, folder))
    return found


def _program(spec: ProgramSpec, folder: Path) -> Iterator[Path]:
    place = folder / spec.cwd
    for word in (spec.entry, *spec.args):
        path = place / word
        is_entry = word == spec.entry
        if not os.path.isfile(path) or not (is_entry or path.suffix in CODE):  # noqa: PTH113 - "\0"
            continue
        yield path
        is_own = path.resolve().is_relative_to(folder)
        if path.suffix in CODE or is_own or (is_entry and spec.kind != "executable"):
            yield from _code_below(path.parent)


def _all(manifest: Manifest, folder: Path) -> set[Path]:
    """Every file in the folder, but the manifest's own: what that one says counts already."""
    return {path for path in _below(folder) if not _is_manifest(path, folder, manifest)}


def _is_manifest(path: Path, folder: Path, manifest: Manifest) -> bool:
    if path.parent != folder or path.suffix != ".json" or path.is_symlink():
        return False
    with open_regular_file(path) as file:
        content = file.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        return False
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError:
        return False
    return _said(found) == _said(manifest)


def _code_below(folder: Path) -> Iterator[Path]:
    """The files that a program may consist of. Links count whatever they are called.

    Packages that were installed there count as far as they are few. To make them too many, so that
    they count no more, changes what counts as well.
    """
    try:
        found = list(_below(folder, limit=MANY_ENTRIES))
    except ContentError:
        found = list(_below(folder, skip=PACKAGES))
    return (path for path in found if path.suffix in CODE or path.is_symlink())


def _walk(
    folder: Path, limit: int, skip: frozenset[str]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk`, through links too, but each folder once; raises `ContentError`."""
    seen: set[str] = set()
    count = 0
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [name for name in folders if name not in skip]
        count += len(names) + len(folders)
        if count > limit:
            raise ContentError(f"There are more than {limit} files in {folder.name}.")
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield place, folders, names


def _below(
    folder: Path, *, limit: int = MAX_FILES, skip: frozenset[str] = frozenset()
) -> Iterator[Path]:
    for place, folders, names in _walk(folder, limit, skip):
        for name in (*names, *folders):
            path = Path(place) / name
            if path.is_symlink() or path.is_file():
                yield path


def _content(path: Path) -> bytes:
    """The hash of a file's content."""
    if path.is_symlink():
        said = b"link " + os.fsencode(path.readlink()) + b"\0"
        return said + (_file_content(path) if path.is_file() else b"none")
    return _file_content(path)


def _file_content(path: Path) -> bytes:
    digest = hashlib.sha256()
    size = 0
    with open_regular_file(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            if size > MAX_BYTES:
                raise ContentError(f"{path.name} is larger than 1 GiB.")
    return b"file " + digest.digest()


def _feed(digest: "hashlib._Hash", part: bytes) -> None:
    """With its length before it, so that no two sequences of parts are the same bytes."""
    digest.update(len(part).to_bytes(8, "big"))
    digest.update(part)
