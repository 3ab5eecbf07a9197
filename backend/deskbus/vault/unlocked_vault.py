"""The vault's keys and records, while they are there to be used."""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator

import structlog

from deskbus.vault.cipher import SealError, new_key, new_key_id, wipe
from deskbus.vault.keys.kek_providers import (
    KekProvider,
    KeychainKekProvider,
    PasswordKekProvider,
    VaultLockedError,
)
from deskbus.vault.keys.keychain import Keychain
from deskbus.vault.keys.keyset import (
    OUTSIDE,
    DataKey,
    Keyset,
    KeysetHead,
    Purpose,
    SafeStorageWrap,
    open_keyset,
    read_head,
)
from deskbus.vault.keys.safe_storage import SafeStorage, SafeStorageKekProvider
from deskbus.vault.records.sealed_records import MANIFEST, Name, Records
from deskbus.vault.records.vault_folder import Folder

KEYSET = "keyset"
_INSTALLATION = "installation"
_INSTALLATION_BYTES = 8

FindKeychain = Callable[[str | None], Keychain | None]

log = structlog.get_logger()


class UnlockedVault:
    """Until `wipe`, after which nothing in it may be used."""

    def __init__(
        self,
        head: KeysetHead,
        kek_provider: KekProvider,
        kek: bytearray,
        keys: Keyset,
        folder: Folder,
    ) -> None:
        self.head = head
        self.kek_provider = kek_provider
        self.kek = kek
        self.keys = keys
        self.records = Records(folder, keys)
        self._folder = folder

    def load(self) -> None:
        """Raises `SealError`, `OSError`."""
        # No other purpose has a key: nothing was ever kept, and the end came before the manifest.
        is_new = {key.purpose for key in self.keys} == {"manifest"}
        if is_new and not self._folder.exists(MANIFEST):
            self.records.create()
        else:
            self.records.load()

    def primary(self, purpose: Purpose) -> DataKey:
        """The key that seals for that purpose, made where there is none; raises `OSError`."""
        key = self.keys.primary(purpose)
        if key is None:
            key = self.keys.add(purpose)
            self.save_keys()
        return key

    def with_keys(self, values: Iterable[tuple[Name, bytes]]) -> Iterator[tuple[Name, bytes]]:
        """The same; each of them has a key by the time that it comes."""
        for name, value in values:
            self.primary(name.purpose)
            yield name, value

    def outside_keys(self) -> list[tuple[Name, bytes]]:
        """As records, by id."""
        return [
            (Name(key.purpose, "", key.id.hex()), bytes(key.key))
            for key in self.keys
            if key.purpose in OUTSIDE
        ]

    def adopt_keys(self, keys: Iterable[tuple[Name, bytes]]) -> None:
        """Raises `SealError` for what `outside_keys` can't have given, and `OSError`."""
        for name, key in keys:
            try:
                key_id = bytes.fromhex(name.name)
            except ValueError:
                raise SealError from None
            self.keys.adopt(name.purpose, key_id, key)
        self.save_keys()

    def save_keys(self) -> None:
        """Raises `OSError`."""
        self._folder.write(KEYSET, self.keys.seal(self.head, self.kek))

    def encrypt_anew(self) -> None:
        """The same key in a new head; raises `VaultLockedError`, `OSError`."""
        self.head = self.kek_provider.head(self.head.installation, self.head.kek, self.kek)
        self.save_keys()

    def forget_unused_keys(self) -> None:
        """To be called when no record is outdated; raises `OSError`."""
        old = {k.id for k in self.keys if not k.primary and k.purpose not in OUTSIDE}
        if old:
            self.records.save_under_primary()
            self.keys.drop(old)
            self.save_keys()

    def read_again(self) -> None:
        """The value on disk; raises `SealError` where another key seals it, and `OSError`."""
        file = self._folder.read(KEYSET)
        keys = open_keyset(file, self.kek)
        self.keys.wipe()
        self.head, self.keys = read_head(file), keys
        self.records = Records(self._folder, keys)
        self.load()

    def wipe(self) -> None:
        wipe(self.kek)
        self.keys.wipe()
        if isinstance(self.kek_provider, PasswordKekProvider):
            self.kek_provider.leave()


def open_existing(
    folder: Folder, find: FindKeychain, password: bytearray | None, safe: SafeStorage
) -> UnlockedVault:
    """Raises `VaultLockedError`, `SealError`, `OSError`."""
    file = folder.read(KEYSET)
    head = read_head(file)
    kek_provider: KekProvider
    spare: set[bytes] = set()
    stale = False
    if head.password is not None:
        if password is None:
            raise VaultLockedError("the master password is needed")
        try:
            kek_provider, kek = PasswordKekProvider.open(head, password)
        except SealError:
            raise VaultLockedError("the master password is wrong") from None
    elif isinstance(head.safe_storage, SafeStorageWrap):
        in_safe = kek_provider = SafeStorageKekProvider(safe, head.safe_storage.store)
        kek, stale = in_safe.open(head)
    else:
        keychain = find(head.keychain)
        if keychain is None:
            raise VaultLockedError("the keychain that has its key is not to be had")
        kek_provider = KeychainKekProvider(keychain, head.installation)
        keys = kek_provider.keys()
        if head.kek not in keys:
            raise VaultLockedError("the keychain has no longer its key; import an export")
        kek = keys.pop(head.kek)
        spare = set(keys)
    opened = UnlockedVault(head, kek_provider, kek, open_keyset(file, kek), folder)
    opened.load()
    if spare:
        try_to(lambda: kek_provider.settle(head.kek, kek))
    if stale:
        try_to(opened.encrypt_anew)
    return opened


def open_new(folder: Folder, kek_provider: KekProvider) -> UnlockedVault:
    """An empty vault. With its keyset it exists; the manifest comes after, or when it is opened.

    Raises `VaultLockedError`, `OSError`.
    """
    kek_id, kek, keys = new_key_id(), new_key(), Keyset()
    keys.add("manifest")
    opened = UnlockedVault(
        kek_provider.head(installation_of(folder), kek_id, kek), kek_provider, kek, keys, folder
    )
    kek_provider.prepare({kek_id: kek})
    folder.step("key prepared")
    opened.save_keys()
    opened.load()
    log.info("vault.created", kek_provider=kek_provider.name)
    return opened


def needs_password(folder: Folder) -> bool:
    """False where that can't be told."""
    head = _head_of(folder)
    return head is not None and head.password is not None


def needs_shell(folder: Folder) -> bool:
    """False where that can't be told."""
    head = _head_of(folder)
    return head is not None and isinstance(head.safe_storage, SafeStorageWrap)


def _head_of(folder: Folder) -> KeysetHead | None:
    try:
        return read_head(folder.read(KEYSET))
    except (OSError, SealError):
        return None


def installation_of(folder: Folder) -> str:
    """Names the entry in the keychain, until a keyset does; a new name where none can be read."""
    if folder.exists(_INSTALLATION):
        kept = folder.read(_INSTALLATION).decode("ascii", "replace")
        if re.fullmatch(f"[0-9a-f]{{{2 * _INSTALLATION_BYTES}}}", kept):
            return kept
    made = secrets.token_hex(_INSTALLATION_BYTES)
    folder.write(_INSTALLATION, made.encode())
    return made


def try_to(action: Callable[[], None]) -> None:
    """A leftover in a keychain opens nothing, and is no reason to fail."""
    try:
        action()
    except VaultLockedError as error:
        log.warning("vault.leftover", why=error.why)
