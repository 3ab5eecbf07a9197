"""Where the key lives: a keychain, a master password, and the way from one to the other."""

from pathlib import Path

import pytest

from deskbus.vault.keys.kek_providers import VaultLockedError
from tests.unit.vault.fakes import OTHER, TOKEN, FakeKeychain, password, reopened, vault_in


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
    assert vault.status().kek_provider == "secret-service"
