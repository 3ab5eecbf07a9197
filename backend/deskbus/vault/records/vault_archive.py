"""The vault's content in one file under a password, for a move to another machine.

    magic · length of the head 4 · head · a sealed stream: count 4, then each record as length 4 and
    msgpack of (purpose, app, name) and value

The head says how the password gives the key, and is bound into the stream's context. Records go
through one by one, so a vault may be larger than the memory.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec

from deskbus.contracts.progress import ReportProgress
from deskbus.storage import durable_files
from deskbus.storage.newer_format import NewerFormatError, refuse_newer_magic
from deskbus.vault.cipher import (
    CHUNK_BYTES,
    HEADER_BYTES,
    TAG_BYTES,
    Context,
    SealError,
    new_key,
    new_key_id,
    open_chunks,
    seal_chunks,
    wipe,
)
from deskbus.vault.keys.kek_providers import PasswordKekProvider
from deskbus.vault.keys.keyset import MAX_HEAD_BYTES, OUTSIDE, Purpose, decode_head
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.records.vault_folder import Step, no_step
from deskbus.vault.vault import Vault

_MAGIC = b"deskbus vault export 1\n"
_PLACE = "export"
WHAT = "the vault's export"
_LENGTH_BYTES = 4
_UNFINISHED = ".unfinished"

_OF_THE_FOLDER: frozenset[Purpose] = frozenset({"audit"})
"""Belongs to a log beside the vault: where there is one, another log's would make it unreadable."""


def export_vault(vault: Vault, path: Path, password: bytearray, *, step: Step = no_step) -> int:
    """Writes every record of an unlocked vault to a new file of mode 0600.

    Answers with how many were left out, because they were changed from outside. Of the vault's own
    keys the file has those of sealed messages alone. It has its name once it is whole and on the
    disk. Raises `FileExistsError`, and what the vault raises.
    """
    if os.path.lexists(path):
        raise FileExistsError(17, "there is such a file already", str(path))
    names = vault.names()
    sound = [name for name in names if _opens(vault, name)]
    keys = vault.outside_keys()
    unfinished = path.with_name(path.name + _UNFINISHED)
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            step("export: begun")
            for piece in _sealed(keys, vault, sound, password):
                file.write(piece)
                step("export: piece written")
            file.flush()
            durable_files.sync(descriptor)
        step("export: synced")
        unfinished.rename(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    step("export: renamed")
    return len(names) - len(sound)


def import_vault(
    vault: Vault, file: BinaryIO, password: bytearray, progress: ReportProgress | None = None
) -> int:
    """Takes every record in, in place of those of the same name; answers with their number.

    Keys of messages are taken in beside those that are here. The anchor of an audit log is not,
    where this vault has one already. After a crash, or where the file turns out to be changed or
    cut off, either all of them are in the vault or none. Raises `SealError` for another password or
    a changed file, `NewerFormatError` for a later version's.
    """
    with _opened(file, password) as (stream, count):
        vault.put_all(_wanted(vault, _records(stream, count)), progress, count)
    return count


def count_export(file: BinaryIO, password: bytearray) -> int:
    """The number of records that an export says it has; the rest is not read, and may be damaged.

    Raises what `import_vault` does.
    """
    with _opened(file, password) as (_, count):
        return count


@contextlib.contextmanager
def _opened(file: BinaryIO, password: bytearray) -> Iterator[tuple["_Stream", int]]:
    """The content of an export from its first record on, and the number of its records."""
    start = file.read(len(_MAGIC) + _LENGTH_BYTES)
    refuse_newer_magic(start, _MAGIC, WHAT)
    length = int.from_bytes(start[len(_MAGIC) :])
    if not start.startswith(_MAGIC) or length > MAX_HEAD_BYTES:
        raise SealError
    head = file.read(length)
    kek_provider, key = PasswordKekProvider.open(decode_head(head, WHAT), password)
    try:
        plain = open_chunks(key, _context(head), file.read(HEADER_BYTES), _chunks_of(file))
        stream = _Stream(plain)
        yield stream, int.from_bytes(stream.take(_LENGTH_BYTES))
    finally:
        kek_provider.leave()
        wipe(key)


class _Stream:
    """Bytes of pieces, as many as are asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._waiting = bytearray()

    def take(self, count: int) -> bytes:
        """Raises `SealError` where it ends before."""
        while len(self._waiting) < count:
            piece = next(self._pieces, None)
            if piece is None:
                raise SealError
            self._waiting += piece
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken

    def end(self) -> None:
        """Raises `SealError` unless this is the end of all."""
        if self._waiting or any(self._pieces):
            raise SealError


def _wanted(vault: Vault, coming: Iterable[tuple[Name, bytes]]) -> Iterator[tuple[Name, bytes]]:
    """The records among them that are to be put; keys are adopted when the end is proven."""
    kept = {name for name in vault.names() if name.purpose in _OF_THE_FOLDER}
    keys = []
    for name, value in coming:
        if name.purpose in OUTSIDE:
            keys.append((name, value))
        elif name not in kept:
            yield name, value
    if keys:
        vault.adopt_keys(keys)


def _records(stream: _Stream, count: int) -> Iterator[tuple[Name, bytes]]:
    for _ in range(count):
        length = int.from_bytes(stream.take(_LENGTH_BYTES))
        try:
            yield msgspec.msgpack.decode(stream.take(length), type=tuple[Name, bytes])
        except msgspec.MsgspecError:
            # Only who has the key can have sealed it, and earlier versions are known.
            raise NewerFormatError(WHAT) from None
    stream.end()


def _opens(vault: Vault, name: Name) -> bool:
    try:
        vault.get(name)
    except SealError:
        return False
    return True


def _sealed(
    keys: list[tuple[Name, bytes]], vault: Vault, names: list[Name], password: bytearray
) -> Iterator[bytes]:
    key_id, key, kek_provider = new_key_id(), new_key(), PasswordKekProvider.new(password)
    try:
        head = msgspec.json.encode(kek_provider.head(_PLACE, key_id, key))
        yield _MAGIC + len(head).to_bytes(_LENGTH_BYTES) + head
        records = chain(keys, _read(vault, names))
        yield from seal_chunks(
            key_id, key, _context(head), _cut(_plain(len(keys) + len(names), records))
        )
    finally:
        kek_provider.leave()
        wipe(key)


def _read(vault: Vault, names: list[Name]) -> Iterator[tuple[Name, bytes]]:
    for name in names:
        value = vault.get(name)
        if value is None:
            raise SealError
        yield name, value


def _plain(count: int, records: Iterable[tuple[Name, bytes]]) -> Iterator[bytes]:
    yield count.to_bytes(_LENGTH_BYTES)
    for name, value in records:
        record = msgspec.msgpack.encode((name, value))
        yield len(record).to_bytes(_LENGTH_BYTES) + record


def _cut(texts: Iterable[bytes]) -> Iterator[bytearray]:
    """The same bytes in the pieces by which a stream is sealed."""
    waiting = bytearray()
    for text in texts:
        waiting += text
        while len(waiting) > CHUNK_BYTES:
            yield waiting[:CHUNK_BYTES]
            del waiting[:CHUNK_BYTES]
    yield waiting


def _chunks_of(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES + TAG_BYTES):
        yield chunk


def _context(head: bytes) -> Context:
    return Context(_PLACE, "", hashlib.sha256(head).hexdigest(), 0)
