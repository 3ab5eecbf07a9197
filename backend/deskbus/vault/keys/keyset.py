"""The data keys, one or more for each purpose, in a file that the key-encryption key seals.

The file is a plain head and a sealed body. The head says where the key-encryption key is, and
derivation parameters where it hangs on a password; it is bound into the body's context, so that an
edited head opens nothing.
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus.storage.clocks import wall_ms
from deskbus.storage.newer_format import NewerFormatError, refuse_newer, refuse_newer_magic
from deskbus.vault.cipher import (
    KEY_BYTES,
    KEY_ID_BYTES,
    Context,
    SealError,
    key_id_of,
    new_key,
    new_key_id,
    open_sealed,
    seal,
    wipe,
)
from deskbus.vault.keys.password_derivation import Derivation

MAX_HEAD_BYTES = 64 * 1024
VERSION: Final = 2
SAFE_STORAGE_VERSION: Final = 2
"""Heads that need nothing of it say 1, and open with earlier versions of deskbus."""

WHAT = "the vault's keyset"
_MAGIC = b"deskbus keyset 1\n"

Purpose = Literal["manifest", "apps", "config", "decisions", "messages", "audit", "appstate"]
"""Purposes, each with data keys of its own: the manifest itself, secrets of apps and of the
configuration, remembered decisions, sealed messages, the audit log's keys and anchor, and the saved
state of apps. One value for the backend is a `SecretSlot`, one for each app a `PerAppStore`.
"""

OUTSIDE: frozenset[Purpose] = frozenset({"messages"})
"""Purposes whose sealed values are not among the records, so their old keys are never forgotten."""


class PasswordWrap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key-encryption key, sealed under a key that a password gives."""

    derivation: Derivation
    sealed: bytes


class SafeStorageWrap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The key-encryption key, encrypted by Electron's safeStorage with `store` behind it."""

    store: str
    sealed: bytes


class KeysetHead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters needed to open the keyset. Neither wrap means a keychain."""

    version: Literal[1, 2] = 1
    installation: str
    kek: bytes
    keychain: str | None = None
    password: PasswordWrap | None = None
    safe_storage: SafeStorageWrap | UnsetType = UNSET


class DataKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`primary` seals and opens; the others of a purpose only open what they sealed."""

    id: bytes
    purpose: Purpose
    primary: bool
    created_ms: int
    key: Annotated[bytearray, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]


class _Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    keys: list[DataKey]
    kek_rotated_ms: int
    keys_rotated_ms: int


class Keyset:
    """The opened keys, in memory until `wipe`."""

    def __init__(self, body: _Body | None = None) -> None:
        now = wall_ms()
        self._body = body or _Body(keys=[], kek_rotated_ms=now, keys_rotated_ms=now)

    @property
    def kek_rotated_ms(self) -> int:
        return self._body.kek_rotated_ms

    @property
    def keys_rotated_ms(self) -> int:
        return self._body.keys_rotated_ms

    def __iter__(self) -> Iterator[DataKey]:
        return iter(self._body.keys)

    def primary(self, purpose: Purpose) -> DataKey | None:
        return next((k for k in self._body.keys if k.purpose == purpose and k.primary), None)

    def by_id(self, purpose: Purpose, key_id: bytes) -> DataKey:
        """The key of that purpose and id; raises `SealError` where there is none."""
        for key in self._body.keys:
            if key.purpose == purpose and key.id == key_id:
                return key
        raise SealError

    def add(self, purpose: Purpose) -> DataKey:
        """A new primary key; the one of before only opens from here on."""
        for key in self._body.keys:
            if key.purpose == purpose:
                key.primary = False
        added = DataKey(
            id=new_key_id(), purpose=purpose, primary=True, created_ms=wall_ms(), key=new_key()
        )
        self._body.keys.append(added)
        return added

    def adopt(self, purpose: Purpose, key_id: bytes, key: bytes) -> None:
        """A key of another vault, that only opens; raises `SealError` for what is no key."""
        if len(key_id) != KEY_ID_BYTES or len(key) != KEY_BYTES:
            raise SealError
        if all(known.id != key_id for known in self._body.keys):
            adopted = DataKey(
                id=key_id, purpose=purpose, primary=False, created_ms=wall_ms(), key=bytearray(key)
            )
            self._body.keys.append(adopted)

    def rotate(self) -> None:
        """Makes a new primary key for every purpose that has one."""
        for purpose in {key.purpose for key in self._body.keys}:
            self.add(purpose)
        self._body.keys_rotated_ms = wall_ms()

    def drop(self, unused: set[bytes]) -> None:
        """Forgets keys of these ids that are not primary."""
        for key in self._body.keys:
            if key.id in unused and not key.primary:
                wipe(key.key)
        self._body.keys = [k for k in self._body.keys if k.primary or k.id not in unused]

    def kek_changed(self) -> None:
        self._body.kek_rotated_ms = wall_ms()

    def seal(self, head: KeysetHead, kek: bytearray) -> bytes:
        """The whole file."""
        head_bytes = msgspec.json.encode(head)
        plain = bytearray(msgspec.msgpack.encode(self._body))
        try:
            body = seal(head.kek, kek, _context(head_bytes), plain)
        finally:
            wipe(plain)
        return _MAGIC + len(head_bytes).to_bytes(4) + head_bytes + body

    def wipe(self) -> None:
        for key in self._body.keys:
            wipe(key.key)
        self._body.keys = []


def read_head(file: bytes) -> KeysetHead:
    """Raises `SealError`, `NewerFormatError`. Nothing in it is proven before the body is open."""
    head, _ = _split(file)
    return decode_head(head)


def decode_head(head: bytes, what: str = WHAT) -> KeysetHead:
    """Raises `SealError`, `NewerFormatError`."""
    refuse_newer(head, VERSION, what)
    try:
        return msgspec.json.decode(head, type=KeysetHead)
    except (msgspec.MsgspecError, RecursionError):
        raise SealError from None


def open_keyset(file: bytes, kek: bytearray) -> Keyset:
    """Raises `SealError`, `NewerFormatError`."""
    head, sealed = _split(file)
    plain = bytearray(open_sealed(kek, _context(head), sealed))
    try:
        return Keyset(msgspec.msgpack.decode(plain, type=_Body))
    except msgspec.MsgspecError:
        # Only who has the key can have sealed it, and earlier versions are known.
        raise NewerFormatError(WHAT) from None
    finally:
        wipe(plain)


def wrap_kek(
    kek: bytearray, derivation: Derivation, derived: bytearray, place: str
) -> PasswordWrap:
    """`kek` under the key that `derivation` gave; `place` is what it opens."""
    sealed = seal(bytes(8), derived, _wrap_context(derivation, place), kek)
    return PasswordWrap(derivation=derivation, sealed=sealed)


def unwrap_kek(wrapped: PasswordWrap, derived: bytearray, place: str) -> bytearray:
    """Raises `SealError` for another password, or edited parameters."""
    context = _wrap_context(wrapped.derivation, place)
    kek = bytearray(open_sealed(derived, context, wrapped.sealed))
    if len(kek) != KEY_BYTES:
        raise SealError
    return kek


def _split(file: bytes) -> tuple[bytes, bytes]:
    refuse_newer_magic(file, _MAGIC, WHAT)
    start = len(_MAGIC) + 4
    length = int.from_bytes(file[len(_MAGIC) : start])
    if not file.startswith(_MAGIC) or length > MAX_HEAD_BYTES:
        raise SealError
    head, sealed = file[start : start + length], file[start + length :]
    key_id_of(sealed)
    return head, sealed


def _context(head: bytes) -> Context:
    return Context("keyset", "", hashlib.sha256(head).hexdigest(), 0)


def _wrap_context(derivation: Derivation, place: str) -> Context:
    digest = hashlib.sha256(msgspec.json.encode(derivation)).hexdigest()
    return Context("wrap", place, digest, 0)
