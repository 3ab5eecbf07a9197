"""The vault: opened once it is needed, locked where its key can't be had, never made anew."""

from pathlib import Path
from typing import get_args

import pytest

from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.keys.keychain import Why
from deskbus.vault.vault import Vault
from tests.unit.vault.fakes import OTHER, TOKEN, FakeKeychain, reopened, vault_in


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
def test_a_missing_keyset_is_missed_where_only_messages_were_sealed(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    sealed = vault.seal("messages", "0", b"body")
    kept = (folder / "keyset").read_bytes()
    vault = reopened(vault, folder, keychain)
    (folder / "keyset").unlink()
    with pytest.raises(VaultLockedError, match="keyset is missing"):
        vault.seal("messages", "1", b"body")
    (folder / "keyset").write_bytes(kept)
    assert vault.unseal("messages", "0", sealed) == b"body"


def test_a_manifest_that_is_gone_is_not_made_anew(folder: Path) -> None:
    keychain = FakeKeychain()
    vault = vault_in(folder, keychain)
    vault.put(TOKEN, b"one")
    vault.delete(TOKEN)
    vault = reopened(vault, folder, keychain)
    (folder / "manifest").unlink()
    with pytest.raises(VaultLockedError, match="damaged"):
        vault.put(TOKEN, b"two")


def test_two_processes_do_not_share_a_vault(folder: Path) -> None:
    keychain = FakeKeychain()
    first, second = vault_in(folder, keychain), vault_in(folder, keychain)
    first.put(TOKEN, b"1")
    with pytest.raises(VaultLockedError, match="another process"):
        second.get(TOKEN)
    first.close()
    assert second.get(TOKEN) == b"1"


@pytest.mark.requirement("3.3")
def test_closing_wipes_the_keys(folder: Path) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(TOKEN, b"1")
    assert vault._opened is not None
    keys = [vault._opened.kek, *(key.key for key in vault._opened.keys)]
    assert all(any(key) for key in keys)
    vault.close()
    assert all(key == bytes(32) for key in keys)
    assert vault.status().state == "closed"
