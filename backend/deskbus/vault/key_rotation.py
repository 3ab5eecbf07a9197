"""KeyRotation: new keys for an unlocked vault, and the records that old ones seal, sealed anew."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog

from deskbus.contracts.progress import ReportProgress
from deskbus.vault.cipher import SealError, new_key, new_key_id, wipe
from deskbus.vault.keys.kek_providers import KekProvider
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.records.vault_folder import Folder
from deskbus.vault.unlocked_vault import KEYSET, UnlockedVault, try_to

BATCH = 256
"""Records that are sealed anew with one change of the manifest."""

log = structlog.get_logger()


class KeyRotation:
    """After a crash at any step the old keys or the new ones open everything.

    `change` is entered for each change, and undoes it in memory where the disk refuses it.
    Every method blocks, and raises `VaultLockedError`, `SealError`, `OSError`.
    """

    def __init__(
        self,
        opened: UnlockedVault,
        folder: Folder,
        change: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._opened = opened
        self._folder = folder
        self._change = change

    def rotate_kek(self, kek_provider: KekProvider) -> None:
        """A new key-encryption key, in the care of `kek_provider`; records stay as they are.

        The key that the keyset names is kept throughout.
        """
        opened = self._opened
        kek_id, kek = new_key_id(), new_key()
        kek_provider.prepare({opened.head.kek: opened.kek, kek_id: kek})
        self._folder.step("key prepared")
        head, before = kek_provider.head(opened.head.installation, kek_id, kek), opened.kek_provider
        with self._change():
            opened.keys.kek_changed()
            self._folder.write(KEYSET, opened.keys.seal(head, kek))
        wipe(opened.kek)
        opened.head, opened.kek_provider, opened.kek = head, kek_provider, kek
        # Where this fails the old key stays beside the new one until the vault is next opened.
        try_to(lambda: kek_provider.settle(kek_id, kek))
        self._folder.step("key settled")
        if before is not kek_provider and not kek_provider.shares_place_with(before):
            try_to(before.leave)
        log.info("vault.kek_rotated", kek_provider=kek_provider.name)

    def rotate_data_keys(self) -> None:
        """A new data key for every purpose; the old ones open what they sealed."""
        with self._change():
            self._opened.keys.rotate()
            self._opened.save_keys()
            self._opened.records.save_under_primary()

    def reseal(self, progress: ReportProgress | None = None) -> None:
        """Seals every record anew that an old key seals, and forgets those keys.

        Damaged ones hold up no others: they are passed over, keep their key, and in the end it is
        `SealError`.
        """
        opened = self._opened
        outdated = opened.records.outdated()
        damaged: list[Name] = []
        with self._change():
            for start in range(0, len(outdated), BATCH):
                batch = outdated[start : start + BATCH]
                opened.records.put(opened.records.readable(batch, damaged))
                if progress:
                    progress(start + len(batch), len(outdated))
            if not damaged:
                opened.forget_unused_keys()
        if damaged:
            log.error("vault.not_resealed", damaged=len(damaged))
            raise SealError
