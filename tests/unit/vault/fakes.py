"""A keychain in memory that can be locked, broken or forget its entries."""

from pathlib import Path

from deskbus.vault.keys.keychain import (
    AbsentEntry,
    FoundEntry,
    Keychain,
    KeychainError,
    LockedEntry,
    Why,
)
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


def vault_in(folder: Path, *keychains: Keychain, step: Step = no_step) -> Vault:
    """A vault that finds these keychains, the first one unless asked for another."""

    def find(name: str | None) -> Keychain | None:
        return next((found for found in keychains if name in (None, found.name)), None)

    return Vault(folder, find=find, step=step)


def reopened(vault: Vault, folder: Path, *keychains: FakeKeychain) -> Vault:
    vault.close()
    return vault_in(folder, *keychains)


def password(text: str = "correct horse") -> bytearray:
    return bytearray(text.encode())
