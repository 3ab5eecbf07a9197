"""The vault's folder: files of its own only, and nothing left of a write that failed."""

import os
import sys
from pathlib import Path

import pytest

from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.records.vault_folder import Folder, FolderUnsafeError
from tests.unit.vault.fakes import TOKEN, FakeKeychain, vault_in


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes in folders")
def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(folder: Path) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(TOKEN, b"one")
    vault.close()
    (folder / "keyset").unlink()
    os.mkfifo(folder / "keyset")
    with pytest.raises(VaultLockedError, match="no file of the vault"):
        vault.get(TOKEN)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
@pytest.mark.parametrize("name", ["keyset", "manifest", "installation", "lock"])
def test_a_link_in_place_of_a_file_is_not_followed(folder: Path, name: str) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    vault.close()
    elsewhere = folder.parent / "elsewhere"
    (folder / name).rename(elsewhere)
    (folder / name).symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    if name == "installation":
        (folder / "keyset").unlink()
        (folder / "manifest").unlink()
        for pack in folder.glob("*.pack"):
            pack.unlink()
    with pytest.raises(VaultLockedError, match="can't be used"):
        vault.get(TOKEN)
    assert elsewhere.read_bytes() == before


def test_a_write_that_fails_leaves_nothing_to_fill_the_disk(folder: Path) -> None:
    def step(name: str) -> None:
        if name == "big: written":
            raise OSError(28, os.strerror(28))

    files = Folder(folder, step)
    files.open()
    with pytest.raises(OSError, match="space"):
        files.write("big", bytes(1000))
    assert files.names() == {"lock"}
    files.close()


def test_a_folder_that_is_a_link_is_refused(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to(folder.parent / "elsewhere")
    with pytest.raises(FolderUnsafeError):
        Folder(folder).open()
