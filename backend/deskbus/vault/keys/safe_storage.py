"""The key-encryption key as Electron's safeStorage encrypts it; the shell is asked both ways.

The plain text names the vault and the key, so that no other ciphertext opens it.
"""

import base64
import binascii
from typing import NamedTuple, Protocol

from deskbus.vault.cipher import KEY_BYTES, wipe
from deskbus.vault.keys.kek_providers import KekProvider, VaultLockedError
from deskbus.vault.keys.keyset import SAFE_STORAGE_VERSION, KeysetHead, SafeStorageWrap

NO_SHELL = (
    "its key is with the app's shell (Electron's safeStorage), which is not there: start the app"
)
_FORM = "deskbus-kek-1"


class Sealed(NamedTuple):
    """A text as safeStorage encrypted it, and the store behind that, such as `gnome_libsecret`."""

    ciphertext: bytes
    store: str


class Opened(NamedTuple):
    """`stale`: it should be encrypted anew, for safeStorage has another key by now."""

    text: str
    stale: bool


class SafeStorage(Protocol):
    """Methods block until the shell has answered, and raise `VaultLockedError`."""

    @property
    def connected(self) -> bool: ...

    def encrypt(self, text: str) -> Sealed: ...

    def decrypt(self, ciphertext: bytes) -> Opened: ...


class WithoutShell:
    """For commands that open the vault's files themselves."""

    connected = False

    def encrypt(self, text: str) -> Sealed:
        raise VaultLockedError(NO_SHELL)

    def decrypt(self, ciphertext: bytes) -> Opened:
        raise VaultLockedError(NO_SHELL)


class SafeStorageKekProvider:
    """The keyset's head has the key, encrypted."""

    name = "safeStorage"

    def __init__(self, safe: SafeStorage, store: str = "") -> None:
        self._safe = safe
        self._store = store

    @property
    def strength(self) -> str:
        return f"256-bit key, encrypted by Electron's safeStorage ({self._store})"

    def open(self, head: KeysetHead) -> tuple[bytearray, bool]:
        """The key, and whether it should be encrypted anew; raises `VaultLockedError`."""
        wrapped = head.safe_storage
        assert isinstance(wrapped, SafeStorageWrap)
        text, stale = self._safe.decrypt(wrapped.sealed)
        form, installation, kek_id, encoded = (*text.split(" "), "", "", "", "")[:4]
        try:
            kek = bytearray(base64.b64decode(encoded, validate=True))
        except (ValueError, binascii.Error):
            kek = bytearray()
        expected = (_FORM, head.installation, head.kek.hex())
        if (form, installation, kek_id) != expected or len(kek) != KEY_BYTES:
            raise VaultLockedError("safeStorage opened something that is no key of this vault")
        return kek, stale

    def prepare(self, keys: dict[bytes, bytearray]) -> None:
        """The keyset's head carries the key; there is nothing to do before it is written."""

    def head(self, installation: str, kek_id: bytes, kek: bytearray) -> KeysetHead:
        text = f"{_FORM} {installation} {kek_id.hex()} {base64.b64encode(kek).decode()}"
        ciphertext, self._store = self._safe.encrypt(text)
        head = KeysetHead(
            version=SAFE_STORAGE_VERSION,
            installation=installation,
            kek=kek_id,
            safe_storage=SafeStorageWrap(store=self._store, sealed=ciphertext),
        )
        # Nothing else will have the key: what can't be read back must not take its place.
        again, _ = self.open(head)
        same = again == kek
        wipe(again)
        if not same:
            raise VaultLockedError("safeStorage gave back another key than it was given")
        return head

    def settle(self, kek_id: bytes, kek: bytearray) -> None:
        """Nothing but the keyset's head has the key."""

    def shares_place_with(self, other: KekProvider) -> bool:
        return False

    def leave(self) -> None:
        """Leaves the operating system's entry alone: it is the app's, and protects other things
        too.
        """
