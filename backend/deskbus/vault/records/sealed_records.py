"""The sealed records, and the manifest that says which generation of each is the present one.

A record is a part of a *pack*, a file of sealed values one after another; a pack is written whole
before the manifest names it, and removed after the manifest no longer does. So whatever a crash
leaves is either the old state or the new one, with at most a pack too many.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from deskbus.contracts.progress import ReportProgress
from deskbus.storage.newer_format import NewerFormatError
from deskbus.vault.cipher import (
    HEADER_BYTES,
    Context,
    SealError,
    is_of_this_version,
    key_id_of,
    open_sealed,
    seal,
)
from deskbus.vault.keys.keyset import DataKey, Keyset, Purpose
from deskbus.vault.records.vault_folder import Folder

MANIFEST = "manifest"
VERSION = 1
PACK_BYTES = 4 * 1024 * 1024
"""A pack that has reached it gets no further record."""

_PACK = ".pack"


class Name(NamedTuple):
    """The name of a record."""

    purpose: Purpose
    app: str
    name: str


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    purpose: Purpose
    app: str
    name: str
    generation: int
    pack: str
    offset: int
    length: int
    key: bytes


class _Manifest(msgspec.Struct, frozen=True, array_like=True):
    next_generation: int
    entries: list[_Entry]
    version: int = VERSION


class Records:
    """Reads and writes records with an opened keyset. Methods block; one thread at a time."""

    def __init__(self, folder: Folder, keys: Keyset) -> None:
        self._folder = folder
        self._keys = keys
        self._entries: dict[Name, _Entry] = {}
        self._next_generation = 1

    def load(self) -> None:
        """Raises `SealError`, for a missing manifest too, `NewerFormatError` and `OSError`."""
        try:
            sealed = self._folder.read(MANIFEST)
        except FileNotFoundError:
            raise SealError from None
        key = self._keys.by_id("manifest", key_id_of(sealed))
        try:
            manifest = msgspec.msgpack.decode(
                open_sealed(key.key, _manifest_context(), sealed), type=_Manifest
            )
        except msgspec.MsgspecError:
            # Only who has the key can have sealed it, and earlier versions are known.
            raise NewerFormatError("the vault's manifest") from None
        if manifest.version > VERSION:
            raise NewerFormatError("the vault's manifest")
        self._next_generation = manifest.next_generation
        self._entries = {
            Name(entry.purpose, entry.app, entry.name): entry for entry in manifest.entries
        }
        used = {entry.pack for entry in self._entries.values()}
        self._remove_packs(lambda pack: pack not in used)

    def create(self) -> None:
        """Writes an empty manifest."""
        self._save(self._entries, self._next_generation)

    def get(self, name: Name) -> bytes | None:
        """The value; None where there is no such record.

        Raises `SealError`, `OSError`, and `NewerFormatError` for what a later version has sealed.
        """
        entry = self._entries.get(name)
        if entry is None:
            return None
        try:
            sealed = self._folder.read(entry.pack, entry.offset, entry.length)
        except FileNotFoundError:
            raise SealError from None
        key = self._keys.by_id(entry.purpose, key_id_of(sealed))
        return open_sealed(key.key, _context(entry), sealed)

    def names(self) -> list[Name]:
        return list(self._entries)

    def readable(self, names: Iterable[Name], damaged: list[Name]) -> Iterator[tuple[Name, bytes]]:
        """Records that open, one by one; the names of the others go into `damaged`."""
        for name in names:
            try:
                value = self.get(name)
            except SealError:
                damaged.append(name)
                continue
            if value is not None:
                yield name, value

    def put(
        self,
        values: Iterable[tuple[Name, bytes]],
        progress: ReportProgress | None = None,
        total: int = 0,
    ) -> None:
        """Writes all of them with one change of the manifest: after a crash all or none.

        They are taken one by one, and about a pack of them is in memory at a time. `total` is for
        `progress` alone. Raises `NewerFormatError` where one would replace a later version's.
        """
        entries = dict(self._entries)
        generation = self._next_generation
        pack, sealed_values, size = _new_pack(), list[bytes](), 0
        done = 0
        for name, value in values:
            self._refuse_newer(name)
            key = self._primary(name.purpose)
            entry = _Entry(*name, generation, pack, size, 0, key.id)
            sealed = seal(key.id, key.key, _context(entry), value)
            entries[name] = msgspec.structs.replace(entry, length=len(sealed))
            sealed_values.append(sealed)
            size += len(sealed)
            generation += 1
            done += 1
            if size >= PACK_BYTES:
                self._folder.write(pack, b"".join(sealed_values))
                pack, sealed_values, size = _new_pack(), [], 0
                if progress:
                    progress(done, total)
        if sealed_values:
            self._folder.write(pack, b"".join(sealed_values))
        self._save(entries, generation)
        if progress:
            progress(done, total)

    def delete(self, name: Name) -> bool:
        """Whether there was one; raises `NewerFormatError` for a later version's."""
        if name not in self._entries:
            return False
        self._refuse_newer(name)
        entries = {known: entry for known, entry in self._entries.items() if known != name}
        self._save(entries, self._next_generation)
        return True

    def outdated(self) -> list[Name]:
        """Records that an older key than their purpose's primary one seals."""
        primaries = {key.id for key in self._keys if key.primary}
        return [name for name, entry in self._entries.items() if entry.key not in primaries]

    def save_under_primary(self) -> None:
        """Seals the manifest anew."""
        self._save(self._entries, self._next_generation)

    def _save(self, entries: dict[Name, _Entry], next_generation: int) -> None:
        key = self._primary("manifest")
        plain = msgspec.msgpack.encode(_Manifest(next_generation, list(entries.values())))
        self._folder.write(MANIFEST, seal(key.id, key.key, _manifest_context(), plain))
        before = {entry.pack for entry in self._entries.values()}
        self._entries, self._next_generation = entries, next_generation
        for pack in before - {entry.pack for entry in entries.values()}:
            self._folder.remove(pack)
        self._folder.step("packs removed")

    def _refuse_newer(self, name: Name) -> None:
        entry = self._entries.get(name)
        if entry is None:
            return
        try:
            head = self._folder.read(entry.pack, entry.offset, min(entry.length, HEADER_BYTES))
            if not is_of_this_version(head):
                self.get(name)
        except (SealError, FileNotFoundError):
            return  # A damaged record may be replaced.

    def _remove_packs(self, unused: Callable[[str], bool]) -> None:
        for name in self._folder.names():
            if name.endswith(_PACK) and unused(name):
                self._folder.remove(name)

    def _primary(self, purpose: Purpose) -> DataKey:
        key = self._keys.primary(purpose)
        if key is None:
            raise SealError
        return key


def has_records(folder: Folder) -> bool:
    """Whether records were kept here, or could have been."""
    return any(name == MANIFEST or name.endswith(_PACK) for name in folder.names())


def _new_pack() -> str:
    return secrets.token_hex(8) + _PACK


def _context(entry: _Entry) -> Context:
    return Context(entry.purpose, entry.app, entry.name, entry.generation)


def _manifest_context() -> Context:
    return Context("manifest", "", "manifest", 0)
