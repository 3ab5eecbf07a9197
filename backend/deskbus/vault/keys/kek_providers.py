"""The places of the key-encryption key: the OS keychain, or a master password."""

import base64
import binascii
from typing import Protocol

from deskbus.storage.newer_format import NewerFormatError
from deskbus.vault.cipher import KEY_BYTES, SealError, wipe
from deskbus.vault.keys.keychain import (
    AbsentEntry,
    FoundEntry,
    Keychain,
    KeychainError,
    LockedEntry,
    Why,
)
from deskbus.vault.keys.keyset import KeysetHead, unwrap_kek, wrap_kek
from deskbus.vault.keys.master_password import normalized, spellings
from deskbus.vault.keys.password_derivation import Derivation, new_derivation

MAX_KEYS = 8
"""In one entry: the present key and those that an interrupted change left."""

_FORM = "deskbus-"
VERSION = 1


class VaultLockedError(Exception):
    """The key can't be had now; nothing was changed. `why` is for people."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NewerVaultError(VaultLockedError):
    """A later version of deskbus wrote it: nothing that a person does opens it here."""


class UnansweredError(VaultLockedError):
    """A person was asked, or may have been, and the keychain did not open."""


class KekProvider(Protocol):
    """Keeps key-encryption keys. Methods block, and raise `VaultLockedError`."""

    @property
    def name(self) -> str: ...

    @property
    def strength(self) -> str: ...

    def prepare(self, keys: dict[bytes, bytearray]) -> None:
        """Keeps these keys too, beside what is there."""
        ...

    def head(self, installation: str, kek_id: bytes, kek: bytearray) -> KeysetHead:
        """The head of a keyset whose key this provider holds."""
        ...

    def settle(self, kek_id: bytes, kek: bytearray) -> None:
        """Keeps this key alone."""
        ...

    def shares_place_with(self, other: "KekProvider") -> bool:
        """Whether leaving the one would empty the other."""
        ...

    def leave(self) -> None:
        """Another provider has the key now."""
        ...


class KeychainKekProvider:
    """One entry of the keychain for one installation."""

    def __init__(self, keychain: Keychain, installation: str) -> None:
        self._keychain = keychain
        self._entry = f"vault {installation}"

    @property
    def name(self) -> str:
        return self._keychain.name

    @property
    def strength(self) -> str:
        return "256-bit key in the keychain"

    def keys(self) -> dict[bytes, bytearray]:
        """The keys by id; empty only if the keychain is open and has no entry."""
        answer = self._keychain.read(self._entry)
        if isinstance(answer, LockedEntry):
            raise _locked(answer.why)
        return {} if isinstance(answer, AbsentEntry) else _decode(answer)

    def prepare(self, keys: dict[bytes, bytearray]) -> None:
        known = {kek_id: key for kek_id, key in self.keys().items() if kek_id not in keys}
        while len(known) + len(keys) > MAX_KEYS:
            wipe(known.pop(next(iter(known))))
        self._write({**known, **keys})
        for key in known.values():
            wipe(key)

    def head(self, installation: str, kek_id: bytes, kek: bytearray) -> KeysetHead:
        return KeysetHead(installation=installation, kek=kek_id, keychain=self.name)

    def settle(self, kek_id: bytes, kek: bytearray) -> None:
        self._write({kek_id: kek})

    def shares_place_with(self, other: KekProvider) -> bool:
        return isinstance(other, KeychainKekProvider) and other.name == self.name

    def leave(self) -> None:
        try:
            self._keychain.delete(self._entry)
        except KeychainError as error:
            raise _locked(error.why) from None

    def _write(self, keys: dict[bytes, bytearray]) -> None:
        parts = [f"{kek_id.hex()}:{base64.b64encode(key).decode()}" for kek_id, key in keys.items()]
        try:
            self._keychain.write(self._entry, " ".join([f"{_FORM}{VERSION}", *parts]))
        except KeychainError as error:
            raise _locked(error.why) from None


class PasswordKekProvider:
    """A master password; the key that it gave is kept, so that rotation need not ask again."""

    name = "master password"

    def __init__(self, derivation: Derivation, derived: bytearray) -> None:
        self._derivation = derivation
        self._derived = derived

    @classmethod
    def new(cls, password: bytearray) -> "PasswordKekProvider":
        derivation = new_derivation()
        spelling = normalized(password)
        try:
            return cls(derivation, derivation.derive(spelling))
        finally:
            wipe(spelling)

    @classmethod
    def open(cls, head: KeysetHead, password: bytearray) -> tuple["PasswordKekProvider", bytearray]:
        """The provider and its key; raises `SealError` for another password."""
        if head.password is None:
            raise SealError
        derivation = head.password.derivation
        for spelling in spellings(password):
            provider = cls(derivation, derivation.derive(spelling))
            try:
                return provider, unwrap_kek(head.password, provider._derived, head.installation)
            except SealError:
                provider.leave()
        raise SealError

    @property
    def strength(self) -> str:
        how = self._derivation
        if how.algorithm == "argon2id":
            return f"Argon2id, {how.memory_kib // 1024} MiB, {how.passes} passes"
        return f"PBKDF2-HMAC-SHA256, {how.passes} rounds"

    def prepare(self, keys: dict[bytes, bytearray]) -> None:
        """The keyset's head carries the key; there is nothing to do before it is written."""

    def head(self, installation: str, kek_id: bytes, kek: bytearray) -> KeysetHead:
        wrapped = wrap_kek(kek, self._derivation, self._derived, installation)
        return KeysetHead(installation=installation, kek=kek_id, password=wrapped)

    def settle(self, kek_id: bytes, kek: bytearray) -> None:
        """Nothing but the keyset's head has the key."""

    def shares_place_with(self, other: KekProvider) -> bool:
        return False

    def leave(self) -> None:
        wipe(self._derived)


def _locked(why: Why) -> VaultLockedError:
    words = "the keychain timed out" if why == "timed out" else f"the keychain is {why}"
    return VaultLockedError(words) if why == "broken" else UnansweredError(words)


def _decode(entry: FoundEntry) -> dict[bytes, bytearray]:
    """Raises `VaultLockedError` for an entry that is not ours: it is never overwritten."""
    form, *parts = entry.value.split(" ")
    number = form.removeprefix(_FORM)
    if number.isdecimal() and int(number) > VERSION:
        raise NewerVaultError(NewerFormatError("the keychain's entry").words)
    try:
        pairs = [part.split(":", 1) for part in parts]
        keys = {bytes.fromhex(i): bytearray(base64.b64decode(k, validate=True)) for i, k in pairs}
    except (ValueError, binascii.Error):
        keys = {}
    if (
        form != f"{_FORM}{VERSION}"
        or not keys
        or any(len(key) != KEY_BYTES for key in keys.values())
    ):
        raise VaultLockedError("the keychain's entry is damaged")
    return keys
