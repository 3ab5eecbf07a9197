"""A keychain and a safeStorage in memory that can be locked, broken, or forget."""

from pathlib import Path

from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.keys.keychain import (
    AbsentEntry,
    FoundEntry,
    Keychain,
    KeychainError,
    LockedEntry,
    Why,
)
from deskbus.vault.keys.safe_storage import NO_SHELL, Opened, SafeStorage, Sealed
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.records.vault_folder import Step, no_step
from deskbus.vault.vault import Vault

TOKEN = Name("apps", "desk.feed", "token")
OTHER = Name("apps", "desk.blotter", "token")


class FakeKeychain:
    """Refuses everything while `why` is set; drops what is written while `deaf`."""

    def __init__(self, name: str = "secret-service") -> None:
        self.name = name
        self.entries: dict[str, str] = {}
        self.why: Why | None = None
        self.deaf = False
        self.asked = 0

    def read(self, entry: str) -> FoundEntry | AbsentEntry | LockedEntry:
        self.asked += 1
        if self.why is not None:
            return LockedEntry(self.why)
        value = self.entries.get(entry)
        return AbsentEntry() if value is None else FoundEntry(value)

    def write(self, entry: str, value: str) -> None:
        if self.why is not None:
            raise KeychainError(self.why)
        if not self.deaf:
            self.entries[entry] = value
        if self.read(entry) != FoundEntry(value):
            raise KeychainError("broken")

    def delete(self, entry: str) -> None:
        self.entries.pop(entry, None)

    def would_ask(self) -> bool:
        return self.why is not None


class FakeSafeStorage:
    """Encrypts under one of its keys, of which there are more after `rotate`; fails as told."""

    def __init__(self, *, connected: bool = True) -> None:
        self.connected = connected
        self.fault = ""
        self._keys = [b"\x01"]

    def rotate(self) -> None:
        self._keys.insert(0, bytes([len(self._keys) + 1]))

    def forget_old_keys(self) -> None:
        del self._keys[1:]

    def encrypt(self, text: str) -> Sealed:
        self._must_answer()
        if self.fault == "answers with another's":
            text = text.upper()
        if self.fault == "forgets":
            text = ""
        key = self._keys[0]
        return Sealed(key + bytes(byte ^ key[0] for byte in text.encode()), "gnome_libsecret")

    def decrypt(self, ciphertext: bytes) -> Opened:
        self._must_answer()
        key, body = ciphertext[:1], ciphertext[1:]
        if key not in self._keys:
            raise VaultLockedError("safeStorage could not decrypt")
        text = bytes(byte ^ key[0] for byte in body).decode()
        return Opened(text, stale=key != self._keys[0])

    def _must_answer(self) -> None:
        if not self.connected:
            raise VaultLockedError(NO_SHELL)
        if self.fault == "refuses":
            raise VaultLockedError("safeStorage could not encrypt")


def vault_in(
    folder: Path,
    *keychains: Keychain,
    safe: SafeStorage | None = None,
    step: Step = no_step,
) -> Vault:
    """A vault that finds these keychains, the first one unless asked for another."""

    def find(name: str | None) -> Keychain | None:
        return next((found for found in keychains if name in (None, found.name)), None)

    return Vault(folder, find=find, safe=safe, step=step)


def reopened(vault: Vault, folder: Path, *keychains: FakeKeychain) -> Vault:
    vault.close()
    return vault_in(folder, *keychains)


def password(text: str = "correct horse") -> bytearray:
    return bytearray(text.encode())
