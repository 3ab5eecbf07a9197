"""The key file, by which the log goes on after a restart: the newest seed, and no older one.

The file has two slots of one size that are overwritten in place, so that a seed of the past leaves
the disk, as far as the file system lets it, and so that a full disk can't stop it. With a wrapping
key, which the keychain holds, the slots are sealed with AES-256-GCM; without, only the file's mode
(0600) protects them.

The number in the magic counts for the log beside it too: a version that changes the form of any
file of the log raises it.
"""

import errno
import os
import secrets
import struct
import zlib
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from deskbus.storage import durable_files
from deskbus.storage.newer_format import NewerFormatError, refuse_newer_magic

WRAP_BYTES = 32
_NONCE_BYTES = 12
_SLOT_BYTES = 8192
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_MAGIC = b"deskbus audit keys 1\n"
WHAT = "the audit log's key file"
_HEAD = struct.Struct("<21sQIIB")
"""Magic, generation, length and CRC-32 of the content, whether it is sealed."""


class KeyFileError(Exception):
    """There is a key file, and it can't be used: damaged, or sealed under another key."""


class KeyState(msgspec.Struct, frozen=True, kw_only=True):
    """The seed of batch `batch`, the secret of the next file's head key, and the least that the
    log must hold: `size` records under `root`. `pending` is a head that may not be in the log yet.
    """

    origin: str
    batch: int
    seed: bytes
    head_seed: bytes
    size: int
    root: bytes
    pending: str = ""


class KeyFile:
    """Its methods raise `OSError`."""

    def __init__(self, path: Path, wrap: bytes | None) -> None:
        self._path = path
        self._wrap = wrap
        self._generation = 0

    @property
    def exists(self) -> bool:
        return self._path.exists()

    @property
    def sealed(self) -> bool:
        return self._wrap is not None

    def load(self) -> KeyState | None:
        """The newest state; None where there is no file. Raises `KeyFileError`,
        `NewerFormatError`.
        """
        newest = _newest_slot(self._path)
        if newest is None:
            return None
        self._generation, stored = newest
        return self._open(stored)

    def save(self, state: KeyState) -> None:
        """On disk, in both slots, when it returns."""
        self._generation += 1
        slot = self._slot(msgspec.msgpack.encode(state))
        if not self._path.exists():
            self._make(slot)
            return
        descriptor = os.open(self._path, os.O_RDWR | _FLAGS)
        try:
            for start in (0, _SLOT_BYTES):
                os.lseek(descriptor, start, os.SEEK_SET)
                _write(descriptor, slot)
        finally:
            os.close(descriptor)

    def _make(self, slot: bytes) -> None:
        """Whole or not at all: half a key file would look like a damaged log at the next start."""
        unfinished = self._path.with_name(f"{self._path.name}.new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
        try:
            _write(descriptor, slot + slot)
        finally:
            os.close(descriptor)
        durable_files.replace(unfinished, self._path)

    def rewrap(self, wrap: bytes | None) -> None:
        """From the next save on, under another key."""
        self._wrap = wrap

    def _slot(self, content: bytes) -> bytes:
        sealed = self._wrap is not None
        if self._wrap is not None:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            content = nonce + AESGCM(self._wrap).encrypt(nonce, content, _bound(self._generation))
        head = _HEAD.pack(_MAGIC, self._generation, len(content), zlib.crc32(content), sealed)
        return (head + content).ljust(_SLOT_BYTES, b"\0")

    def _open(self, stored: bytes) -> KeyState:
        sealed, content = stored[0], stored[1:]
        if sealed and self._wrap is None:
            raise KeyFileError("the keys are sealed, and the keychain that opens them is not there")
        try:
            if sealed and self._wrap is not None:
                nonce = content[:_NONCE_BYTES]
                bound = _bound(self._generation)
                content = AESGCM(self._wrap).decrypt(nonce, content[_NONCE_BYTES:], bound)
            return msgspec.msgpack.decode(content, type=KeyState)
        except msgspec.MsgspecError:
            if sealed:
                # Only who has the key can have sealed it, and earlier versions are known.
                raise NewerFormatError(WHAT) from None
            raise KeyFileError("the key file is damaged") from None
        except (InvalidTag, ValueError):
            raise KeyFileError("the keys don't open under the keychain's key") from None


def is_sealed(path: Path) -> bool:
    """Whether a keychain's key seals the key file, so that the log's anchor is there as well.

    Raises `OSError`, `NewerFormatError` among them.
    """
    try:
        newest = _newest_slot(path)
    except KeyFileError:
        return False
    return newest is not None and bool(newest[1][0])


def _newest_slot(path: Path) -> tuple[int, bytes] | None:
    """As `_read_slot`; None where there is no file. Raises `KeyFileError`, `NewerFormatError`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    newest: tuple[int, bytes] | None = None
    slots = content[:_SLOT_BYTES], content[_SLOT_BYTES : 2 * _SLOT_BYTES]
    _refuse_newer(*slots)
    for each in slots:
        slot = _read_slot(each)
        if slot is not None and (newest is None or slot[0] > newest[0]):
            newest = slot
    if newest is None:
        raise KeyFileError("the key file is damaged")
    return newest


def _write(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    durable_files.sync(descriptor)


def _bound(generation: int) -> bytes:
    return _MAGIC + generation.to_bytes(8)


def _refuse_newer(*slots: bytes) -> None:
    """Raises `NewerFormatError` where a slot's number is a later one.

    Unless the other slot is the same and sound but for that number, which is then damaged.
    """
    size = len(_MAGIC)
    sound = [slot[size:] for slot in slots if _read_slot(slot) is not None]
    for slot in slots:
        if slot[size:] not in sound:
            refuse_newer_magic(slot, _MAGIC, WHAT)


def _read_slot(slot: bytes) -> tuple[int, bytes] | None:
    """Generation, and the sealed flag with the content behind it; None where it is torn."""
    if len(slot) < _HEAD.size:
        return None
    magic, generation, length, crc, sealed = _HEAD.unpack_from(slot)
    content = slot[_HEAD.size : _HEAD.size + length]
    if magic != _MAGIC or len(content) != length or zlib.crc32(content) != crc:
        return None
    return generation, bytes([sealed]) + content
