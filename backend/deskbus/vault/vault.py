"""The vault: secrets encrypted at rest, opened when one is first needed.

Every method blocks, on the disk and perhaps on a person; callers use threads.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from deskbus.contracts.progress import ReportProgress
from deskbus.storage.folder_lock import FolderBusyError
from deskbus.storage.newer_format import NewerFormatError
from deskbus.vault import cipher
from deskbus.vault.cipher import Context, SealError
from deskbus.vault.key_rotation import KeyRotation
from deskbus.vault.keys.kek_providers import (
    KekProvider,
    KeychainKekProvider,
    NewerVaultError,
    PasswordKekProvider,
    UnansweredError,
    VaultLockedError,
)
from deskbus.vault.keys.keychain import Keychain, find_keychain
from deskbus.vault.keys.keyset import Purpose
from deskbus.vault.keys.safe_storage import SafeStorage, SafeStorageKekProvider, WithoutShell
from deskbus.vault.records.memory_records import MemoryRecords
from deskbus.vault.records.sealed_records import Name, Records, has_records
from deskbus.vault.records.vault_folder import (
    Folder,
    FolderUnsafeError,
    Step,
    no_step,
)
from deskbus.vault.status import Status
from deskbus.vault.unlocked_vault import (
    KEYSET,
    FindKeychain,
    UnlockedVault,
    installation_of,
    needs_password,
    needs_shell,
    open_existing,
    open_new,
)
from deskbus_protocol.secrets import VaultState

CLOSE_WITHIN_S = 1.0

log = structlog.get_logger()


class Vault:
    """Records of (purpose, app, name) with values of bytes.

    Raises `VaultLockedError` where the key can't be had (`NewerVaultError`: a later version wrote
    the vault), `SealError` where a record or the vault was changed from outside, `NewerFormatError`
    for a later version's record, `MemoryFullError` without a keychain, `OSError` from the disk.
    Once a keychain has not opened, a person is asked again by `unlock` alone.
    """

    def __init__(
        self,
        path: Path,
        *,
        find: FindKeychain = find_keychain,
        safe: SafeStorage | None = None,
        step: Step = no_step,
    ) -> None:
        self._folder = Folder(path, step)
        self._find = find
        self._safe = safe or WithoutShell()
        self._opened: UnlockedVault | None = None
        self._memory: MemoryRecords | None = None
        self._locked_because = ""
        self._newer = False
        self._asked_in_vain = False
        self._locked_by_person = False
        self._turn = threading.RLock()

    @property
    def exists(self) -> bool:
        """Whether anything was ever kept here; asks no keychain."""
        return self._folder.exists(KEYSET)

    @property
    def needs_password(self) -> bool:
        """Whether a master password opens it; false where that can't be told."""
        return needs_password(self._folder)

    @property
    def needs_shell(self) -> bool:
        """Whether Electron's safeStorage opens it; false where that can't be told."""
        return needs_shell(self._folder)

    @property
    def is_newer(self) -> bool:
        """Whether it is locked because a later version of deskbus wrote it."""
        return self._newer

    def claim(self) -> None:
        """Keeps other processes out from here on; raises `FolderBusyError`."""
        with self._turn:
            self._folder.open()

    @property
    def state(self) -> VaultState:
        if self._memory is not None:
            return "memory"
        if self._opened is not None:
            return "unlocked"
        return "locked" if self._locked_because else "closed"

    def status(self) -> Status:
        """Asks nobody and opens nothing."""
        # Another thread may be at it: each is read once.
        memory, opened, locked_because = self._memory, self._opened, self._locked_because
        if memory is not None:
            words = "no keychain: secrets are in memory only, and gone when the backend ends"
            return Status(state="memory", detail=words, records=len(memory))
        if opened is None and locked_because:
            return Status(state="locked", detail=locked_because)
        if opened is None:
            return Status(state="closed", detail="nothing has needed it yet")
        return Status(
            state="unlocked",
            kek_provider=opened.kek_provider.name,
            strength=opened.kek_provider.strength,
            records=len(opened.records.names()),
            outdated=len(opened.records.outdated()),
            kek_rotated_ms=opened.keys.kek_rotated_ms,
            keys_rotated_ms=opened.keys.keys_rotated_ms,
        )

    def get(self, name: Name) -> bytes | None:
        with self._turn:
            return self._open().get(name)

    def put(self, name: Name, value: bytes) -> None:
        self.put_all([(name, value)])

    def put_all(
        self,
        values: Iterable[tuple[Name, bytes]],
        progress: ReportProgress | None = None,
        total: int = 0,
    ) -> None:
        """After a crash, or an error of `values`, either all of them are there or none."""
        with self._turn:
            records = self._open()
            if isinstance(records, MemoryRecords):
                records.put(values, progress, total)
                return
            with self._change():
                records.put(self._unlocked.with_keys(values), progress, total)

    def delete(self, name: Name) -> bool:
        """Whether there was such a record."""
        with self._turn:
            records = self._open()
            with self._change():
                return records.delete(name)

    def names(self) -> list[Name]:
        with self._turn:
            return self._open().names()

    @property
    def opens_unasked(self) -> bool:
        """Whether `open` would ask nobody, and make no vault; blocks."""
        if self.exists and self.needs_password:
            return True
        if self.exists and self.needs_shell:
            return self._safe.connected
        keychain = self._find(None)
        return keychain is None if not self.exists else keychain is None or not keychain.would_ask()

    def open(self) -> None:
        """Opens it as the first use does; a person may be asked, once."""
        with self._turn:
            self._open()

    def seal(self, purpose: Purpose, name: str, plaintext: bytes, within_s: float = -1.0) -> bytes:
        """Seals what is kept elsewhere; raises `VaultLockedError` where no key would last.

        Also where others use the vault for longer than `within_s`, if that is not negative.
        """
        if not self._turn.acquire(timeout=within_s):
            raise VaultLockedError("it is busy")
        try:
            self._open()
            with self._change():
                key = self._unlocked.primary(purpose)
            return cipher.seal(key.id, key.key, Context(purpose, "", name, 0), plaintext)
        finally:
            self._turn.release()

    def unseal(self, purpose: Purpose, name: str, sealed: bytes) -> bytes:
        """Opens what `seal` has sealed."""
        with self._turn:
            self._open()
            key = self._unlocked.keys.by_id(purpose, cipher.key_id_of(sealed))
            return cipher.open_sealed(key.key, Context(purpose, "", name, 0), sealed)

    def outside_keys(self) -> list[tuple[Name, bytes]]:
        """The keys of values that are sealed here and kept elsewhere, to be moved with them."""
        with self._turn:
            self._open()
            return self._unlocked.outside_keys()

    def adopt_keys(self, keys: list[tuple[Name, bytes]]) -> None:
        """Takes another vault's `outside_keys` in; raises `SealError` for what are none."""
        with self._turn:
            self._open()
            with self._change():
                self._unlocked.adopt_keys(keys)

    def unlock(self, password: bytearray | None = None) -> None:
        """Opens the vault; a person may be asked. Makes one where there is none.

        Records in memory move into a keychain that has come up since.
        """
        with self._turn:
            self._asked_in_vain = self._locked_by_person = False
            if self._memory is not None and self._find(None) is not None:
                self.use_keychain()
            self._open(password)

    def lock(self) -> None:
        """Forgets every key until `unlock`, also where a keychain would give them back unasked.

        Raises `VaultLockedError` where secrets are in memory only, and would be gone.
        """
        with self._turn:
            if self._memory is not None:
                raise VaultLockedError("secrets are in memory only, and locking would lose them")
            self._locked_by_person = True
            self._refuse(VaultLockedError("a person locked it"))

    def rotate_kek(self) -> None:
        """A new key-encryption key; the data keys are wrapped anew, records stay as they are."""
        with self._turn:
            self._open()
            self._rotation().rotate_kek(self._unlocked.kek_provider)

    def rotate_keys(self, *, reseal: bool = True, progress: ReportProgress | None = None) -> None:
        """A new data key for every purpose; the old ones open what they sealed.

        With `reseal` every record is sealed anew and the old keys are forgotten; without, each
        is when it is next written.
        """
        with self._turn:
            self._open()
            rotation = self._rotation()
            rotation.rotate_data_keys()
            if reseal:
                rotation.reseal(progress)
            log.info("vault.keys_rotated", resealed=reseal)

    def reseal(self, progress: ReportProgress | None = None) -> None:
        """Seals every record anew that an old key seals, and forgets those keys.

        Raises `SealError` in the end where some are damaged: those keep their key.
        """
        with self._turn:
            self._open()
            self._rotation().reseal(progress)

    def use_password(self, password: bytearray) -> None:
        """A master password from here on, or another one; what was in memory only is kept."""
        with self._turn:
            memory = self._open_for_change()
            kek_provider = PasswordKekProvider.new(password)
            if memory is None:
                self._rotation().rotate_kek(kek_provider)
            else:
                self._leave_memory(memory, kek_provider, password)

    def use_keychain(self, name: str | None = None) -> None:
        """The keychain of this desktop, or that of a name, has the key from here on."""
        with self._turn:
            keychain = self._find(name)
            if keychain is None:
                raise VaultLockedError("this keychain is not to be had here")
            memory = self._open_for_change()
            if memory is None:
                self._rotation().rotate_kek(
                    KeychainKekProvider(keychain, self._unlocked.head.installation)
                )
            else:
                kek_provider = KeychainKekProvider(keychain, installation_of(self._folder))
                self._leave_memory(memory, kek_provider)

    def use_safe_storage(self) -> None:
        """Electron's safeStorage has the key from here on; what was in memory only is kept."""
        with self._turn:
            memory = self._open_for_change()
            kek_provider = SafeStorageKekProvider(self._safe)
            if memory is None:
                self._rotation().rotate_kek(kek_provider)
            else:
                self._leave_memory(memory, kek_provider)

    def close(self) -> None:
        """Forgets every key until one is next needed, and what was in memory only.

        While a thread waits for the keychain there is no key to forget, and nobody waits for it.
        """
        if self._turn.acquire(timeout=CLOSE_WITHIN_S):
            try:
                opened, self._opened, self._memory = self._opened, None, None
                if opened is not None:
                    opened.wipe()
                self._folder.close()
            finally:
                self._turn.release()

    @property
    def _unlocked(self) -> UnlockedVault:
        if self._opened is None:
            raise VaultLockedError(self._locked_because or "it has no place on the disk yet")
        return self._opened

    def _open(self, password: bytearray | None = None) -> Records | MemoryRecords:
        """The store of the records; unless that is the memory, `_opened` is set."""
        if self._memory is not None:
            return self._memory
        if self._opened is not None:
            return self._opened.records
        if self._locked_by_person:
            raise VaultLockedError(self._locked_because)
        try:
            self._folder.open()
            if self.exists:
                self._opened = open_existing(self._folder, self._find_unasked, password, self._safe)
                self._tidy_at_leisure(self._opened)
                log.info("vault.unlocked", kek_provider=self._opened.kek_provider.name)
            elif not self._make():
                self._memory = MemoryRecords()
                log.warning("vault.memory_only")
        except VaultLockedError as error:
            self._asked_in_vain |= isinstance(error, UnansweredError)
            raise self._refuse(error) from None
        except NewerFormatError as error:
            raise self._refuse(NewerVaultError(error.words)) from None
        except FolderBusyError:
            raise self._refuse(VaultLockedError("another process uses it")) from None
        except SealError:
            words = "its files were changed or damaged"
            raise self._refuse(VaultLockedError(words)) from None
        except FolderUnsafeError as error:
            words = f"its folder is not safe: {error.strerror or error}"
            raise self._refuse(VaultLockedError(words)) from None
        except OSError as error:
            words = f"its folder can't be used: {error.strerror}"
            raise self._refuse(VaultLockedError(words)) from None
        self._locked_because, self._newer = "", False
        return self._memory if self._memory is not None else self._unlocked.records

    def _find_unasked(self, name: str | None) -> Keychain | None:
        """After a person was asked in vain, a keychain is used only if it does not ask again."""
        keychain = self._find(name)
        if self._asked_in_vain and keychain is not None and keychain.would_ask():
            raise VaultLockedError(self._locked_because)
        return keychain

    def _open_for_change(self) -> MemoryRecords | None:
        """As `_open`, without making a vault in the keychain that would be left at once."""
        if self._opened is None and self._memory is None and not self.exists:
            self._folder.open()
            self._refuse_leftovers()
            self._memory = MemoryRecords()
        records = self._open()
        return records if isinstance(records, MemoryRecords) else None

    def _refuse(self, error: VaultLockedError) -> VaultLockedError:
        if self._opened is not None:
            self._opened.wipe()
            self._opened = None
        self._folder.close()
        if error.why != self._locked_because:
            log.warning("vault.locked", why=error.why)
        self._locked_because, self._newer = error.why, isinstance(error, NewerVaultError)
        return error

    def _make(self) -> bool:
        """A new vault in the keychain; False where there is none."""
        self._refuse_leftovers()
        keychain = self._find_unasked(None)
        if keychain is None:
            return False
        kek_provider = KeychainKekProvider(keychain, installation_of(self._folder))
        self._opened = open_new(self._folder, kek_provider)
        return True

    def _refuse_leftovers(self) -> None:
        if has_records(self._folder):
            raise VaultLockedError("its keyset is missing; put it back, or import an export")

    def _leave_memory(
        self, memory: MemoryRecords, kek_provider: KekProvider, password: bytearray | None = None
    ) -> None:
        """The memory stays what counts until all that is in it is on the disk."""
        if self._opened is None and self.exists:
            # An earlier try came so far.
            self._opened = open_existing(self._folder, self._find, password, self._safe)
        elif self._opened is None:
            self._opened = open_new(self._folder, kek_provider)
        with self._change():
            self._unlocked.records.put(self._unlocked.with_keys(memory.items()))
        self._memory = None
        self._locked_because = ""
        if self._unlocked.kek_provider is not kek_provider:
            self._rotation().rotate_kek(kek_provider)

    def _rotation(self) -> KeyRotation:
        return KeyRotation(self._unlocked, self._folder, self._change)

    def _tidy_at_leisure(self, opened: UnlockedVault) -> None:
        """Clean-up that a full disk prevents is no reason to be locked."""
        if opened.records.outdated():
            return
        try:
            with self._change():
                opened.forget_unused_keys()
        except OSError as error:
            log.warning("vault.not_tidied", reason=error.strerror)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """After a failure all is read again from the disk, which has the old or the new.

        The key-encryption key is not asked for again, unless that is what has changed.
        """
        try:
            yield
        except BaseException:
            opened, self._opened = self._opened, None
            if opened is not None:
                try:
                    opened.read_again()
                    self._opened = opened
                except (SealError, OSError):
                    opened.wipe()
            raise
