"""The vault's key with Electron's safeStorage: moved there and back, and locked without a shell."""

from pathlib import Path

import pytest

from deskbus.vault.keys.kek_providers import NewerVaultError, VaultLockedError
from deskbus.vault.keys.keyset import read_head
from deskbus.vault.unlocked_vault import KEYSET
from deskbus.vault.vault import Vault
from tests.unit.vault.fakes import TOKEN, FakeKeychain, FakeSafeStorage, password, vault_in

pytestmark = pytest.mark.requirement("3.3")


@pytest.fixture
def safe() -> FakeSafeStorage:
    return FakeSafeStorage()


def opened(folder: Path, safe: FakeSafeStorage, *keychains: FakeKeychain) -> Vault:
    return vault_in(folder, *keychains, safe=safe)


def test_the_key_moves_there_and_back(folder: Path, safe: FakeSafeStorage) -> None:
    keychain = FakeKeychain()
    vault = opened(folder, safe, keychain)
    vault.put(TOKEN, b"one")
    vault.use_safe_storage()
    assert keychain.entries == {}
    status = vault.status()
    assert status.kek_provider == "safeStorage"
    assert status.strength == "256-bit key, encrypted by Electron's safeStorage (gnome_libsecret)"
    vault.close()
    vault = opened(folder, safe, keychain)
    assert vault.get(TOKEN) == b"one"
    vault.rotate_kek()
    vault.use_keychain()
    assert len(keychain.entries) == 1
    vault.use_safe_storage()
    vault.use_password(password())
    vault.close()
    vault = opened(folder, FakeSafeStorage(connected=False), keychain)
    vault.unlock(password())
    assert vault.get(TOKEN) == b"one"


def test_without_a_shell_it_is_locked_and_says_why(folder: Path, safe: FakeSafeStorage) -> None:
    vault = opened(folder, safe)
    vault.use_safe_storage()
    vault.put(TOKEN, b"one")
    vault.close()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    keychain = FakeKeychain()
    for alone in (vault_in(folder, keychain), opened(folder, FakeSafeStorage(connected=False))):
        assert alone.opens_unasked is False
        assert alone.needs_shell
        with pytest.raises(VaultLockedError, match="start the app"):
            alone.get(TOKEN)
        assert "start the app" in alone.status().detail
        with pytest.raises(VaultLockedError, match="start the app"):
            alone.rotate_kek()
        alone.close()
    assert keychain.entries == {}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_what_was_in_memory_only_is_kept_there(folder: Path, safe: FakeSafeStorage) -> None:
    vault = opened(folder, safe)
    vault.put(TOKEN, b"one")
    assert vault.state == "memory"
    vault.use_safe_storage()
    vault.close()
    assert opened(folder, safe).get(TOKEN) == b"one"


@pytest.mark.parametrize("fault", ["refuses", "forgets", "answers with another's"])
def test_one_that_fails_takes_no_key(folder: Path, safe: FakeSafeStorage, fault: str) -> None:
    keychain = FakeKeychain()
    vault = opened(folder, safe, keychain)
    vault.put(TOKEN, b"one")
    safe.fault = fault
    with pytest.raises(VaultLockedError):
        vault.use_safe_storage()
    vault.close()
    vault = opened(folder, safe, keychain)
    assert vault.get(TOKEN) == b"one"
    assert vault.status().kek_provider == "secret-service"


def test_another_vaults_ciphertext_opens_nothing(tmp_path: Path, safe: FakeSafeStorage) -> None:
    for name in ("one", "other"):
        vault = opened(tmp_path / name, safe)
        vault.use_safe_storage()
        vault.close()
    one, other = (tmp_path / name / KEYSET for name in ("one", "other"))
    one.write_bytes(other.read_bytes())
    with pytest.raises(VaultLockedError):
        # The keyset is the other's, the records are this one's.
        opened(tmp_path / "one", safe).put(TOKEN, b"one")


def test_a_stale_ciphertext_is_made_anew(folder: Path, safe: FakeSafeStorage) -> None:
    vault = opened(folder, safe)
    vault.use_safe_storage()
    vault.put(TOKEN, b"one")
    vault.close()
    before = read_head((folder / KEYSET).read_bytes())
    safe.rotate()
    vault = opened(folder, safe)
    assert vault.get(TOKEN) == b"one"
    vault.close()
    after = read_head((folder / KEYSET).read_bytes())
    assert after.kek == before.kek
    assert after.safe_storage != before.safe_storage
    safe.forget_old_keys()
    assert opened(folder, safe).get(TOKEN) == b"one"


def test_heads_without_it_are_what_earlier_versions_read(folder: Path) -> None:
    vault = vault_in(folder, FakeKeychain())
    vault.put(TOKEN, b"one")
    content = (folder / KEYSET).read_bytes()
    assert b'"version":1' in content
    assert b"safe_storage" not in content


def test_one_that_a_later_version_wrote_stays_locked(folder: Path, safe: FakeSafeStorage) -> None:
    vault = opened(folder, safe)
    vault.use_safe_storage()
    vault.close()
    content = (folder / KEYSET).read_bytes()
    (folder / KEYSET).write_bytes(content.replace(b'"version":2', b'"version":3', 1))
    with pytest.raises(NewerVaultError):
        opened(folder, safe).get(TOKEN)
