"""A vault changed from outside opens nothing, and no file that is not ours is followed."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from deskbus.vault.cipher import SealError
from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.records.sealed_records import Name
from tests.unit.vault.fakes import TOKEN, FakeKeychain, vault_in


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("size", [10, 200_000])
def test_an_old_record_that_is_put_back_fails(folder: Path, size: int) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"a" * size)
    (old,) = folder.glob("*.pack")
    content = old.read_bytes()
    vault.put(TOKEN, b"b" * size)
    (new,) = folder.glob("*.pack")
    new.write_bytes(content)
    with pytest.raises(SealError):
        vault.get(TOKEN)


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(
    "other",
    [
        pytest.param(TOKEN._replace(app="desk.blotter"), id="apps"),
        pytest.param(TOKEN._replace(name="other"), id="names"),
        pytest.param(TOKEN._replace(purpose="config"), id="purposes"),
        pytest.param(TOKEN._replace(purpose="appstate"), id="purposes of one app"),
    ],
)
def test_records_that_change_places_fail(folder: Path, other: Name) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(TOKEN, b"1")
    vault.put(other, b"2")
    first, second = folder.glob("*.pack")
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    for name in (TOKEN, other):
        with pytest.raises(SealError):
            vault.get(name)


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("which", ["keyset", "manifest"])
def test_every_flipped_byte_of_keyset_and_manifest_locks(folder: Path, which: str) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"1")
    vault.close()
    file = folder / which
    content = file.read_bytes()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x01
        file.write_bytes(changed)
        with pytest.raises(VaultLockedError):
            vault.get(TOKEN)
    file.write_bytes(content)
    assert vault.get(TOKEN) == b"1"


def test_a_missing_manifest_is_not_an_empty_one(folder: Path) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(TOKEN, b"1")
    vault.close()
    (folder / "manifest").unlink()
    with pytest.raises(VaultLockedError):
        vault.names()


def _link_folder(folder: Path, elsewhere: Path) -> None:
    folder.symlink_to(elsewhere, target_is_directory=True)


def _link_lock(folder: Path, elsewhere: Path) -> None:
    folder.mkdir()
    (folder / "lock").symlink_to(elsewhere / "lock")


def _link_keyset(folder: Path, elsewhere: Path) -> None:
    folder.mkdir()
    (folder / "keyset").symlink_to(elsewhere / "keyset")


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("link", [_link_folder, _link_lock, _link_keyset])
def test_links_are_not_followed(
    folder: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link(folder, elsewhere)
    vault = vault_in(folder, FakeKeychain())
    with pytest.raises(VaultLockedError):
        vault.put(TOKEN, b"1")
    assert list(elsewhere.iterdir()) == []


def test_a_folder_that_others_could_read_is_closed_to_them(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    vault_in(folder, FakeKeychain()).put(TOKEN, b"1")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.requirement("3.3")
def test_files_are_private_and_tell_neither_values_nor_names(folder: Path) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(Name("apps", "desk.feed", "unmistakable"), b"plain as day")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        content = file.read_bytes()
        assert b"plain as day" not in content
        assert b"unmistakable" not in content
