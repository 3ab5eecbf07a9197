"""The vault's keys and records, while they are there to be used."""

from collections.abc import Callable

import structlog

from deskbus.vault.cipher import SealError, wipe
from deskbus.vault.folder import Folder
from deskbus.vault.homes import Home, KeychainHome, PasswordHome, VaultLockedError
from deskbus.vault.keychain import Keychain
from deskbus.vault.keyset import Head, Keyset, open_keyset, read_head
from deskbus.vault.records import Records

KEYSET = "keyset"

FindKeychain = Callable[[str | None], Keychain | None]

log = structlog.get_logger()


class Opened:
    """Until `wipe`, after which nothing in it may be used."""

    def __init__(
        self, head: Head, home: Home, kek: bytearray, keys: Keyset, folder: Folder
    ) -> None:
        self.head = head
        self.home = home
        self.kek = kek
        self.keys = keys
        self.records = Records(folder, keys)

    def wipe(self) -> None:
        wipe(self.kek)
        self.keys.wipe()
        if isinstance(self.home, PasswordHome):
            self.home.leave()


def open_existing(folder: Folder, find: FindKeychain, password: bytearray | None) -> Opened:
    """Raises `VaultLockedError`, `SealError`, `OSError`."""
    file = folder.read(KEYSET)
    head = read_head(file)
    home: Home
    spare: set[bytes] = set()
    if head.password is not None:
        if password is None:
            raise VaultLockedError("the master password is needed")
        try:
            home, kek = PasswordHome.open(head, password)
        except SealError:
            raise VaultLockedError("the master password is wrong") from None
    else:
        keychain = find(head.keychain)
        if keychain is None:
            raise VaultLockedError("the keychain that has its key is not to be had")
        home = KeychainHome(keychain, head.installation)
        keys = home.keys()
        if head.kek not in keys:
            raise VaultLockedError("the keychain has no longer its key; import an export")
        kek = keys.pop(head.kek)
        spare = set(keys)
    opened = Opened(head, home, kek, open_keyset(file, kek), folder)
    opened.records.load()
    if spare:
        try_to(lambda: home.settle(head.kek, kek))
    return opened


def try_to(action: Callable[[], None]) -> None:
    """A leftover in a keychain opens nothing, and is no reason to fail."""
    try:
        action()
    except VaultLockedError as error:
        log.warning("vault.leftover", why=error.why)
