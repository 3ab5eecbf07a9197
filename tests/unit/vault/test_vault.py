"""The vault: opened once it is needed, locked where its key can't be had, never made anew."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from deskbus.vault.cipher import SealError
from deskbus.vault.homes import VaultLockedError
from deskbus.vault.keychain import Why
from deskbus.vault.records import Name
from deskbus.vault.transfer import export_vault, import_vault
from deskbus.vault.vault import Vault
from tests.unit.vault.fakes import FakeKeychain, vault_in

TOKEN = Name("apps", "desk.feed", "token")
OTHER = Name("apps", "desk.blotter", "token")


def password(text: str = "correct horse") -> bytearray:
    return bytearray(text.encode())


def reopened(vault: Vault, folder: Path, *keychains: FakeKeychain) -> Vault:
    vault.close()
    return vault_in(folder, *keychains)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.mark.requirement("3.3")
def test_what_was_put_is_there_after_a_restart(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    vault.put(OTHER, b"two")
    vault.put(TOKEN, b"three")
    vault = reopened(vault, folder, keychain)
    assert (vault.get(TOKEN), vault.get(OTHER)) == (b"three", b"two")
    assert vault.delete(OTHER)
    assert not vault.delete(OTHER)
    vault = reopened(vault, folder, keychain)
    assert vault.get(OTHER) is None
    assert vault.names() == [TOKEN]
    assert len(keychain.entries) == 1


@pytest.mark.requirement("3.3")
def test_nobody_is_asked_before_something_is_needed(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    assert vault.status().state == "closed"
    assert (keychain.asked, folder.exists()) == (0, False)
    vault.put(TOKEN, b"x")
    assert vault.status().state == "unlocked"
    asked = keychain.asked
    vault.put(OTHER, b"x")
    vault.get(TOKEN)
    assert keychain.asked == asked


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


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("why", get_args(Why))
def test_a_keychain_that_does_not_answer_locks_and_changes_nothing(folder: Path, why: Why) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    before = dict(keychain.entries)
    vault = reopened(vault, folder, keychain)
    keychain.why = why
    with pytest.raises(VaultLockedError):
        vault.get(TOKEN)
    with pytest.raises(VaultLockedError):
        vault.put(TOKEN, b"two")
    assert vault.status().state == "locked"
    assert why in vault.status().detail
    keychain.why = None
    assert keychain.entries == before
    vault.unlock()
    assert vault.get(TOKEN) == b"one"


@pytest.mark.parametrize("why", get_args(Why))
def test_no_vault_is_made_while_the_keychain_does_not_answer(folder: Path, why: Why) -> None:
    keychain = FakeKeychain()
    keychain.why = why
    vault = vault_in(folder, keychain)
    with pytest.raises(VaultLockedError):
        vault.put(TOKEN, b"x")
    assert not vault.exists
    keychain.why = None
    vault.put(TOKEN, b"x")
    assert vault.exists


@pytest.mark.requirement("3.3")
def test_an_entry_that_was_deleted_is_not_replaced(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    entries = dict(keychain.entries)
    vault = reopened(vault, folder, keychain)
    keychain.entries.clear()
    with pytest.raises(VaultLockedError, match="no longer"):
        vault.put(TOKEN, b"two")
    assert keychain.entries == {}
    keychain.entries.update(entries)
    assert vault.get(TOKEN) == b"one"


def test_a_keychain_that_drops_what_is_written_makes_no_vault(folder: Path) -> None:
    keychain = FakeKeychain()
    keychain.deaf = True
    vault = vault_in(folder, keychain)
    with pytest.raises(VaultLockedError, match="broken"):
        vault.put(TOKEN, b"x")
    assert not vault.exists


def test_a_foreign_entry_is_not_overwritten(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    (entry,) = keychain.entries
    vault = reopened(vault, folder, keychain)
    keychain.entries[entry] = "somebody else's"
    with pytest.raises(VaultLockedError, match="damaged"):
        vault.get(TOKEN)
    assert keychain.entries[entry] == "somebody else's"


@pytest.mark.requirement("3.3")
def test_without_a_keychain_secrets_are_in_memory_only(folder: Path) -> None:
    vault = vault_in(folder)
    vault.put(TOKEN, b"one")
    assert vault.get(TOKEN) == b"one"
    assert vault.status().state == "memory"
    assert "memory only" in vault.status().detail
    assert [file.name for file in folder.iterdir()] == ["lock"]
    assert reopened(vault, folder).get(TOKEN) is None


@pytest.mark.requirement("3.3")
def test_a_keychain_that_comes_up_later_takes_what_was_in_memory(folder: Path) -> None:
    keychains: list[FakeKeychain] = []
    vault = Vault(folder, find=lambda _: keychains[0] if keychains else None)
    vault.put(TOKEN, b"one")
    vault.unlock()
    assert vault.status().state == "memory"
    keychains.append(FakeKeychain())
    vault.unlock()
    assert vault.status().state == "unlocked"
    assert reopened(vault, folder, *keychains).get(TOKEN) == b"one"


def test_a_keyset_without_its_keychain_is_locked_not_memory(folder: Path) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(TOKEN, b"one")
    vault = reopened(vault, folder)
    with pytest.raises(VaultLockedError):
        vault.get(TOKEN)


def test_a_missing_keyset_does_not_make_a_new_one_over_the_records(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    kept = (folder / "keyset").read_bytes()
    vault = reopened(vault, folder, keychain)
    (folder / "keyset").unlink()
    with pytest.raises(VaultLockedError, match="keyset is missing"):
        vault.get(TOKEN)
    (folder / "keyset").write_bytes(kept)
    assert vault.get(TOKEN) == b"one"


@pytest.mark.requirement("3.3")
def test_a_master_password_keeps_what_was_in_memory(folder: Path) -> None:
    vault = vault_in(folder)
    vault.put(TOKEN, b"one")
    vault.use_password(password())
    assert "Argon2id, 64 MiB" in (vault.status().strength or "")
    vault = reopened(vault, folder)
    with pytest.raises(VaultLockedError, match="needed"):
        vault.get(TOKEN)
    with pytest.raises(VaultLockedError, match="wrong"):
        vault.unlock(password("battery staple"))
    vault.unlock(password())
    assert vault.get(TOKEN) == b"one"


@pytest.mark.requirement("3.3")
def test_the_password_can_be_changed_and_the_old_one_opens_nothing(folder: Path) -> None:
    vault = vault_in(folder)
    vault.use_password(password("first"))
    vault.put(TOKEN, b"one")
    vault.use_password(password("second"))
    vault.put(OTHER, b"two")
    vault = reopened(vault, folder)
    with pytest.raises(VaultLockedError, match="wrong"):
        vault.unlock(password("first"))
    vault.unlock(password("second"))
    assert (vault.get(TOKEN), vault.get(OTHER)) == (b"one", b"two")


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("edit", ["passes", "memory_kib", "lanes"])
@pytest.mark.parametrize("value", [1, 2**31, 5])
def test_edited_parameters_of_a_password_open_nothing(folder: Path, edit: str, value: int) -> None:
    vault = vault_in(folder)
    vault.use_password(password())
    vault = reopened(vault, folder)
    file = folder / "keyset"
    content = file.read_bytes()
    start = content.index(b"{")
    length = int.from_bytes(content[start - 4 : start])
    head, body = content[start : start + length], content[start + length :]
    present = {"passes": 3, "memory_kib": 65536, "lanes": 4}[edit]
    changed = head.replace(
        b'"%b":%d' % (edit.encode(), present), b'"%b":%d' % (edit.encode(), value)
    )
    assert changed != head
    file.write_bytes(content[: start - 4] + len(changed).to_bytes(4) + changed + body)
    with pytest.raises(VaultLockedError):
        vault.unlock(password())


@pytest.mark.requirement("3.3")
def test_the_home_changes_between_keychains_and_password(folder: Path) -> None:
    first, second = FakeKeychain("secret-service"), FakeKeychain("kwallet")
    vault = vault_in(folder, first, second)
    vault.put(TOKEN, b"one")
    vault.use_keychain("kwallet")
    assert (len(first.entries), len(second.entries)) == (0, 1)
    vault = reopened(vault, folder, first, second)
    assert vault.get(TOKEN) == b"one"
    vault.use_password(password())
    assert second.entries == {}
    vault = reopened(vault, folder, first, second)
    vault.unlock(password())
    vault.use_keychain()
    vault = reopened(vault, folder, first, second)
    assert vault.get(TOKEN) == b"one"
    assert vault.status().home == "secret-service"


def keyset_of(folder: Path) -> bytes:
    return (folder / "keyset").read_bytes()


@pytest.mark.requirement("3.3")
def test_rotating_the_kek_leaves_the_records_as_they_are(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    packs = {p.name: p.read_bytes() for p in folder.glob("*.pack")}
    entry, keyset = dict(keychain.entries), keyset_of(folder)
    vault.rotate_kek()
    assert keyset_of(folder) != keyset
    assert keychain.entries.keys() == entry.keys()
    assert keychain.entries != entry
    assert {p.name: p.read_bytes() for p in folder.glob("*.pack")} == packs
    vault = reopened(vault, folder, keychain)
    assert vault.get(TOKEN) == b"one"
    vault.close()
    keychain.entries.update(entry)
    with pytest.raises(VaultLockedError):
        vault.get(TOKEN)


@pytest.mark.requirement("3.3")
def test_rotating_the_data_keys_seals_every_record_anew(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    names = [Name("apps", "desk.feed", str(n)) for n in range(600)]
    vault.put_all((name, name.name.encode()) for name in names)
    packs = {p.name for p in folder.glob("*.pack")}
    seen: list[tuple[int, int]] = []
    vault.rotate_keys(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(256, 600), (512, 600), (600, 600)]
    assert packs.isdisjoint(p.name for p in folder.glob("*.pack"))
    assert vault._opened is not None
    assert all(key.primary for key in vault._opened.keys)
    vault = reopened(vault, folder, keychain)
    assert all(vault.get(name) == name.name.encode() for name in names)


@pytest.mark.requirement("3.3")
def test_a_lazy_rotation_seals_records_when_they_are_written(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put_all([(TOKEN, b"one"), (OTHER, b"two")])
    vault.rotate_keys(reseal=False)
    assert vault.status().outdated == 2
    vault.put(TOKEN, b"three")
    vault = reopened(vault, folder, keychain)
    assert (vault.get(TOKEN), vault.get(OTHER)) == (b"three", b"two")
    assert vault.status().outdated == 1
    vault.reseal()
    assert vault.status().outdated == 0
    assert vault.get(OTHER) == b"two"


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
def test_records_that_change_places_fail(folder: Path) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(TOKEN, b"1")
    vault.put(OTHER, b"2")
    first, second = folder.glob("*.pack")
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    for name in (TOKEN, OTHER):
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


def test_two_processes_do_not_share_a_vault(folder: Path) -> None:
    keychain = FakeKeychain()
    first, second = vault_in(folder, keychain), vault_in(folder, keychain)
    first.put(TOKEN, b"1")
    with pytest.raises(VaultLockedError, match="another process"):
        second.get(TOKEN)
    first.close()
    assert second.get(TOKEN) == b"1"


@pytest.mark.requirement("3.3")
def test_an_export_opens_on_another_machine_under_its_password(tmp_path: Path) -> None:
    here = vault_in(tmp_path / "here", FakeKeychain())
    here.put_all([(TOKEN, b"1"), (OTHER, b"2" * 300_000)])
    file = export_vault(here, password())
    assert b"desk.feed" not in file
    there = vault_in(tmp_path / "there", FakeKeychain())
    there.put(TOKEN, b"older")
    with pytest.raises(SealError):
        import_vault(there, file, password("wrong"))
    with pytest.raises(SealError):
        import_vault(there, file[:-1], password())
    assert there.get(TOKEN) == b"older"
    assert import_vault(there, file, password()) == 2
    assert (there.get(TOKEN), there.get(OTHER)) == (b"1", b"2" * 300_000)


@pytest.mark.requirement("3.3")
def test_locking_wipes_the_keys(folder: Path) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(TOKEN, b"1")
    assert vault._opened is not None
    keys = [vault._opened.kek, *(key.key for key in vault._opened.keys)]
    assert all(any(key) for key in keys)
    vault.lock()
    assert all(key == bytes(32) for key in keys)
    assert vault.status().state == "locked"


def test_a_failed_write_leaves_the_old_value(folder: Path) -> None:
    full = False

    def step(name: str) -> None:
        if full and name == "manifest: written":
            raise OSError(28, os.strerror(28))

    keychain = FakeKeychain()
    vault = vault_in(folder, keychain, step=step)
    vault.put(TOKEN, b"1")
    full = True
    with pytest.raises(OSError, match="space"):
        vault.put(TOKEN, b"2")
    full = False
    assert vault.get(TOKEN) == b"1"
    vault.put(TOKEN, b"3")
    assert reopened(vault, folder, keychain).get(TOKEN) == b"3"
