"""The vault: secrets encrypted at rest, opened when one is first needed.

Every method blocks, on the disk and perhaps on a person; callers use threads.
"""

import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from deskbus.vault import cipher
from deskbus.vault.cipher import Context, SealError, new_key, new_key_id, wipe
from deskbus.vault.folder import Folder, FolderBusyError, Step, no_step
from deskbus.vault.homes import Home, KeychainHome, PasswordHome, VaultLockedError
from deskbus.vault.keychain import find_keychain
from deskbus.vault.keyset import OUTSIDE, Keyset, Purpose, read_head
from deskbus.vault.opened import KEYSET, FindKeychain, Opened, open_existing, try_to
from deskbus.vault.records import Name, Progress, Records, has_packs
from deskbus.vault.status import Status

BATCH = 256
"""Records that are sealed anew with one change of the manifest."""

CLOSE_WITHIN_S = 1.0

_INSTALLATION = "installation"

log = structlog.get_logger()


class Vault:
    """Records of (purpose, app, name) with values of bytes.

    Raises `VaultLockedError` where the key can't be had, `SealError` where a record or the vault
    was changed from outside, `OSError` from the disk.
    """

    def __init__(
        self, path: Path, *, find: FindKeychain = find_keychain, step: Step = no_step
    ) -> None:
        self._folder = Folder(path, step)
        self._find = find
        self._step = step
        self._opened: Opened | None = None
        self._memory: dict[Name, bytes] | None = None
        self._locked_because = ""
        self._turn = threading.RLock()

    @property
    def exists(self) -> bool:
        """Whether anything was ever kept here; asks no keychain."""
        return self._folder.exists(KEYSET)

    @property
    def needs_password(self) -> bool:
        """Whether a master password opens it; false where that can't be told."""
        try:
            return read_head(self._folder.read(KEYSET)).password is not None
        except (OSError, SealError):
            return False

    def claim(self) -> None:
        """Keeps other processes out from here on; raises `FolderBusyError`."""
        with self._turn:
            self._folder.open()

    def status(self) -> Status:
        """Asks nobody and opens nothing."""
        opened = self._opened
        if self._memory is not None:
            words = "no keychain: secrets are in memory only, and gone when the backend ends"
            return Status(state="memory", detail=words, records=len(self._memory))
        if opened is None:
            if self._locked_because:
                return Status(state="locked", detail=self._locked_because)
            return Status(state="closed", detail="nothing has needed it yet")
        return Status(
            state="unlocked",
            home=opened.home.name,
            strength=opened.home.strength,
            records=len(opened.records.names()),
            outdated=len(opened.records.outdated()),
            kek_rotated_ms=opened.keys.kek_rotated_ms,
            keys_rotated_ms=opened.keys.keys_rotated_ms,
        )

    def get(self, name: Name) -> bytes | None:
        with self._turn:
            if (memory := self._open()) is not None:
                return memory.get(name)
            return self._unlocked.records.get(name)

    def put(self, name: Name, value: bytes) -> None:
        self.put_all([(name, value)])

    def put_all(
        self, values: Iterable[tuple[Name, bytes]], progress: Progress | None = None, total: int = 0
    ) -> None:
        """After a crash, or an error of `values`, either all of them are there or none."""
        with self._turn:
            if (memory := self._open()) is not None:
                memory.update(list(values))
                return
            with self._change():
                self._unlocked.records.put(self._with_keys(values), progress, total)

    def delete(self, name: Name) -> bool:
        """Whether there was such a record."""
        with self._turn:
            if (memory := self._open()) is not None:
                return memory.pop(name, None) is not None
            with self._change():
                return self._unlocked.records.delete(name)

    def names(self) -> list[Name]:
        with self._turn:
            if (memory := self._open()) is not None:
                return list(memory)
            return self._unlocked.records.names()

    def seal(self, purpose: Purpose, name: str, plaintext: bytes) -> bytes:
        """Seals what is kept elsewhere; raises `VaultLockedError` where no key would last.

        Once the vault has proved to be locked this asks nobody again: the log tries for hours.
        """
        with self._turn:
            self._open_quietly()
            self._need_keys({purpose})
            key = self._unlocked.keys.primary(purpose)
            assert key is not None
            return cipher.seal(key.id, key.key, Context(purpose, "", name, 0), plaintext)

    def unseal(self, purpose: Purpose, name: str, sealed: bytes) -> bytes:
        """Opens what `seal` has sealed; asks as little."""
        with self._turn:
            self._open_quietly()
            key = self._unlocked.keys.by_id(purpose, cipher.key_id_of(sealed))
            return cipher.open_sealed(key.key, Context(purpose, "", name, 0), sealed)

    def unlock(self, password: bytearray | None = None) -> None:
        """Opens the vault; a person may be asked. Makes one where there is none.

        What is in memory only moves into a keychain that has come up since.
        """
        with self._turn:
            if self._memory is not None and self._find(None) is not None:
                self.use_keychain()
            self._open(password)

    def lock(self) -> None:
        """Forgets every key until one is next needed; what is in memory only stays there."""
        with self._turn:
            if self._opened is not None:
                self._opened.wipe()
                self._opened = None
                self._locked_because = "it was locked"
            self._folder.close()

    def rotate_kek(self) -> None:
        """A new key-encryption key; the data keys are wrapped anew, records stay as they are."""
        with self._turn:
            self._open()
            self._move(self._unlocked.home)

    def rotate_keys(self, *, reseal: bool = True, progress: Progress | None = None) -> None:
        """A new data key for every purpose; the old ones open what they sealed.

        With `reseal` every record is sealed anew and the old keys are forgotten; without, each
        is when it is next written.
        """
        with self._turn:
            self._open()
            opened = self._unlocked
            with self._change():
                opened.keys.rotate()
                self._save_keyset(opened)
                opened.records.save_under_primary()
            if reseal:
                self.reseal(progress)
            log.info("vault.keys_rotated", resealed=reseal)

    def reseal(self, progress: Progress | None = None) -> None:
        """Seals every record anew that an old key seals, and forgets those keys."""
        with self._turn:
            self._open()
            opened = self._unlocked
            outdated = opened.records.outdated()
            with self._change():
                for start in range(0, len(outdated), BATCH):
                    batch = outdated[start : start + BATCH]
                    opened.records.put(_read(opened.records, batch))
                    if progress:
                        progress(start + len(batch), len(outdated))
                self._tidy(opened)

    def use_password(self, password: bytearray) -> None:
        """A master password from here on, or another one; what was in memory only is kept."""
        with self._turn:
            memory = self._open_for_change()
            home = PasswordHome.new(password)
            if memory is None:
                self._move(home)
                return
            self._create(home, self._installation())
            self._memory = None
            self.put_all(memory.items())

    def use_keychain(self, name: str | None = None) -> None:
        """The keychain of this desktop, or that of a name, has the key from here on."""
        with self._turn:
            keychain = self._find(name)
            if keychain is None:
                raise VaultLockedError("this keychain is not to be had here")
            memory = self._open_for_change()
            if memory is None:
                self._move(KeychainHome(keychain, self._unlocked.head.installation))
                return
            installation = self._installation()
            self._create(KeychainHome(keychain, installation), installation)
            self._memory = None
            self.put_all(memory.items())

    def close(self) -> None:
        """Like `lock`, and forgets what was in memory only.

        While a thread waits for the keychain there is no key to forget, and nobody waits for it.
        """
        if self._turn.acquire(timeout=CLOSE_WITHIN_S):
            try:
                self.lock()
                self._memory = None
            finally:
                self._turn.release()

    @property
    def _unlocked(self) -> Opened:
        if self._opened is None:
            raise VaultLockedError(self._locked_because or "it has no place on the disk yet")
        return self._opened

    def _open(self, password: bytearray | None = None) -> dict[Name, bytes] | None:
        """The memory where that is all there is; otherwise `_opened` is set."""
        if self._memory is not None:
            return self._memory
        if self._opened is not None:
            return None
        try:
            self._folder.open()
            if self.exists:
                self._opened = open_existing(self._folder, self._find, password)
                if not self._opened.records.outdated():
                    self._tidy(self._opened)
                log.info("vault.unlocked", home=self._opened.home.name)
            elif not self._make():
                self._memory = {}
                log.warning("vault.memory_only")
        except VaultLockedError as error:
            raise self._refuse(error.why) from None
        except FolderBusyError:
            raise self._refuse("another process uses it") from None
        except SealError:
            raise self._refuse("its files were changed or damaged") from None
        except OSError as error:
            raise self._refuse(f"its folder can't be used: {error.strerror}") from None
        self._locked_because = ""
        return self._memory

    def _open_quietly(self) -> None:
        if self._opened is None and self._locked_because:
            raise VaultLockedError(self._locked_because)
        self._open()

    def _open_for_change(self) -> dict[Name, bytes] | None:
        """As `_open`, without making a vault in the keychain that would be left at once."""
        if self._opened is None and self._memory is None and not self.exists:
            self._folder.open()
            self._refuse_leftovers()
            self._memory = {}
        return self._open()

    def _refuse(self, why: str) -> VaultLockedError:
        self._folder.close()
        if why != self._locked_because:
            log.warning("vault.locked", why=why)
        self._locked_because = why
        return VaultLockedError(why)

    def _make(self) -> bool:
        """A new vault in the keychain; False where there is none."""
        self._refuse_leftovers()
        keychain = self._find(None)
        if keychain is None:
            return False
        installation = self._installation()
        self._create(KeychainHome(keychain, installation), installation)
        return True

    def _refuse_leftovers(self) -> None:
        if has_packs(self._folder):
            raise VaultLockedError("its keyset is missing; put it back, or import an export")

    def _create(self, home: Home, installation: str) -> None:
        """The keyset is written last: with it the vault exists."""
        kek_id, kek, keys = new_key_id(), new_key(), Keyset()
        keys.add("manifest")
        head = home.head(installation, kek_id, kek)
        opened = Opened(head, home, kek, keys, self._folder)
        home.prepare({kek_id: kek})
        self._step("home prepared")
        opened.records.create()
        self._save_keyset(opened)
        self._opened = opened
        log.info("vault.created", home=home.name)

    def _move(self, home: Home) -> None:
        """A new key-encryption key, in `home`. Whichever the keyset names can be had throughout."""
        opened = self._unlocked
        kek_id, kek = new_key_id(), new_key()
        home.prepare({opened.head.kek: opened.kek, kek_id: kek})
        self._step("home prepared")
        before = opened.home
        with self._change():
            opened.head = home.head(opened.head.installation, kek_id, kek)
            opened.home = home
            wipe(opened.kek)
            opened.kek = kek
            opened.keys.kek_changed()
            self._save_keyset(opened)
        # Where this fails the old key stays beside the new one until the vault is next opened.
        try_to(lambda: home.settle(kek_id, kek))
        self._step("home settled")
        if before is not home and not home.shares_place_with(before):
            try_to(before.leave)
        log.info("vault.kek_rotated", home=home.name)

    def _with_keys(self, values: Iterable[tuple[Name, bytes]]) -> Iterator[tuple[Name, bytes]]:
        for name, value in values:
            self._need_keys({name.purpose})
            yield name, value

    def _need_keys(self, purposes: set[Purpose]) -> None:
        missing = [p for p in purposes if self._unlocked.keys.primary(p) is None]
        if missing:
            with self._change():
                for purpose in missing:
                    self._unlocked.keys.add(purpose)
                self._save_keyset(self._unlocked)

    def _tidy(self, opened: Opened) -> None:
        """Forgets keys that nothing needs."""
        old = {k.id for k in opened.keys if not k.primary and k.purpose not in OUTSIDE}
        if old:
            opened.records.save_under_primary()
            opened.keys.drop(old)
            self._save_keyset(opened)

    def _save_keyset(self, opened: Opened) -> None:
        self._folder.write(KEYSET, opened.keys.seal(opened.head, opened.kek))

    @contextmanager
    def _change(self) -> Iterator[None]:
        """After a failure the keys are read again from the disk, which has the old or the new."""
        try:
            yield
        except BaseException:
            if self._opened is not None:
                self._opened.wipe()
                self._opened = None
            raise

    def _installation(self) -> str:
        if self._folder.exists(_INSTALLATION):
            return self._folder.read(_INSTALLATION).decode()
        made = secrets.token_hex(8)
        self._folder.write(_INSTALLATION, made.encode())
        return made


def _read(records: Records, names: list[Name]) -> Iterator[tuple[Name, bytes]]:
    for name in names:
        value = records.get(name)
        if value is not None:
            yield name, value
