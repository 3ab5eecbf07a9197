"""The vault's keys and records, while they are there to be used."""

from deskbus.vault.cipher import wipe
from deskbus.vault.folder import Folder
from deskbus.vault.homes import Home, PasswordHome
from deskbus.vault.keyset import Head, Keyset
from deskbus.vault.records import Records


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
