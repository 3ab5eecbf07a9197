"""A disk that is full in the middle of a change: nothing is lost, and nobody is asked again."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deskbus.vault.vault import Vault
from tests.unit.vault.fakes import OTHER, TOKEN, FakeKeychain, password, reopened, vault_in


class Disk:
    """Full at the step of that name."""

    def __init__(self) -> None:
        self.full_at = ""

    def step(self, name: str) -> None:
        if self.full_at and name.endswith(self.full_at):
            raise OSError(28, os.strerror(28))


STEPS = [f"{file}: {step}" for file in (".pack", "manifest") for step in ("written", "renamed")]


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("at", STEPS)
def test_a_failed_write_leaves_the_old_value_or_the_new(folder: Path, at: str) -> None:
    disk, keychain = Disk(), FakeKeychain()
    vault = vault_in(folder, keychain, step=disk.step)
    vault.put(TOKEN, b"1")
    asked = keychain.asked
    disk.full_at = at
    with pytest.raises(OSError, match="space"):
        vault.put(TOKEN, b"2")
    assert vault.get(TOKEN) == (b"2" if at == "manifest: renamed" else b"1")
    assert keychain.asked == asked
    disk.full_at = ""
    vault.put(TOKEN, b"3")
    assert reopened(vault, folder, keychain).get(TOKEN) == b"3"


@pytest.mark.requirement("3.3")
def test_a_full_disk_does_not_lock_a_vault_with_a_password(folder: Path) -> None:
    disk = Disk()
    vault = vault_in(folder, step=disk.step)
    vault.use_password(password())
    vault.put(TOKEN, b"1")
    changes: list[tuple[Callable[[], object], str]] = [
        (lambda: vault.put(TOKEN, b"2"), ".pack: written"),
        (lambda: vault.put(TOKEN, b"2"), "manifest: synced"),
        (vault.rotate_keys, "keyset: written"),
        (vault.rotate_kek, "keyset: written"),
        (lambda: vault.use_password(password("another")), "keyset: synced"),
    ]
    for change, disk.full_at in changes:
        with pytest.raises(OSError, match="space"):
            change()
        assert vault.state == "unlocked"
    assert not list(folder.glob("*.new"))
    disk.full_at = ""
    vault.rotate_keys()
    vault = reopened(vault, folder)
    vault.unlock(password())
    assert vault.get(TOKEN) in (b"1", b"2")


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("at", ["keyset: written", "manifest: written", ".pack: written"])
def test_what_is_in_memory_stays_there_until_all_of_it_is_on_the_disk(
    folder: Path, at: str
) -> None:
    disk, keychains = Disk(), list[FakeKeychain]()
    vault = Vault(folder, find=lambda _: keychains[0] if keychains else None, step=disk.step)
    vault.put(TOKEN, b"one")
    keychains.append(FakeKeychain())
    disk.full_at = at
    for _ in range(2):
        with pytest.raises(OSError, match="space"):
            vault.unlock()
        assert (vault.state, vault.get(TOKEN)) == ("memory", b"one")
    vault.put(OTHER, b"two")
    disk.full_at = ""
    vault.unlock()
    assert vault.state == "unlocked"
    vault = reopened(vault, folder, *keychains)
    assert (vault.get(TOKEN), vault.get(OTHER)) == (b"one", b"two")


def test_a_password_takes_over_where_the_way_to_a_keychain_failed(folder: Path) -> None:
    disk, keychain = Disk(), FakeKeychain()
    keychains: list[FakeKeychain] = []
    vault = Vault(folder, find=lambda _: keychains[0] if keychains else None, step=disk.step)
    vault.put(TOKEN, b"one")
    keychains.append(keychain)
    disk.full_at = ".pack: written"
    with pytest.raises(OSError, match="space"):
        vault.unlock()
    disk.full_at = ""
    vault.use_password(password())
    assert keychain.entries == {}
    vault = reopened(vault, folder)
    vault.unlock(password())
    assert vault.get(TOKEN) == b"one"


def test_a_vault_opens_although_there_is_no_room_to_forget_old_keys(folder: Path) -> None:
    disk, keychain = Disk(), FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    vault.rotate_keys(reseal=False)
    vault.put(TOKEN, b"two")
    vault.close()
    vault = vault_in(folder, keychain, step=disk.step)
    disk.full_at = "written"
    assert vault.get(TOKEN) == b"two"


def test_an_installation_that_can_not_be_read_is_named_anew(folder: Path) -> None:
    folder.mkdir()
    (folder / "installation").write_bytes(b"\xff\xfe")
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    assert reopened(vault, folder, keychain).get(TOKEN) == b"one"
