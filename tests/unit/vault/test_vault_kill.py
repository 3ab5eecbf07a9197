"""SIGKILL at every step of every change: afterwards every record opens, old or new."""

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deskbus.vault import key_rotation
from deskbus.vault.records import sealed_records
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.records.vault_archive import export_vault, import_vault
from deskbus.vault.records.vault_folder import Step
from deskbus.vault.vault import Vault
from tests.unit.vault.killing import killed_at, opened

pytestmark = [
    pytest.mark.usefixtures("quick_passwords"),
    pytest.mark.requirement("3.3"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

ROUNDS = 100
"""Kills that one vault lives through."""

BATCH = 8
"""Records that are resealed at a time; fewer than the vault's, for every step costs all records."""

NAMES = [Name("apps", "desk.feed", str(n)) for n in range(BATCH + 4)]
"""More than one batch."""

SPARE = Name("apps", "desk.feed", "spare")
PASSWORD = b"correct horse"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_rotation, "BATCH", BATCH)


def unlocked(folder: Path, step: Step | None = None) -> Vault:
    vault = opened(folder, step) if step else opened(folder)
    vault.unlock(bytearray(PASSWORD))
    return vault


def fill(folder: Path) -> None:
    vault = opened(folder)
    vault.put_all((name, b"old") for name in [*NAMES, SPARE])
    vault.close()


def write(vault: Vault) -> None:
    vault.put_all((name, b"new") for name in NAMES)


def rotate_lazily_and_write(vault: Vault) -> None:
    vault.rotate_keys(reseal=False)
    vault.put(NAMES[0], b"new")
    vault.reseal()


def to_a_password(vault: Vault) -> None:
    vault.use_password(bytearray(PASSWORD))


def to_another_password(vault: Vault) -> None:
    to_a_password(vault)
    to_a_password(vault)


def between_keychains(vault: Vault) -> None:
    vault.use_keychain("kwallet")
    vault.use_keychain("secret-service")


def to_a_password_and_back(vault: Vault) -> None:
    to_a_password(vault)
    vault.use_keychain()


def to_another_keychain_by_a_password(vault: Vault) -> None:
    to_a_password(vault)
    vault.use_keychain("kwallet")


def to_safe_storage_and_back(vault: Vault) -> None:
    vault.use_safe_storage()
    vault.rotate_kek()
    vault.use_keychain()


CHANGES: dict[str, Callable[[Vault], object]] = {
    "write": write,
    "delete": lambda vault: vault.delete(SPARE),
    "rotate the kek": Vault.rotate_kek,
    "rotate the data keys": Vault.rotate_keys,
    "rotate lazily": rotate_lazily_and_write,
    "to a password": to_a_password,
    "to another password": to_another_password,
    "to another keychain": lambda vault: vault.use_keychain("kwallet"),
    "between keychains and back": between_keychains,
    "to a password and back": to_a_password_and_back,
    "to another keychain by a password": to_another_keychain_by_a_password,
    "to safeStorage": Vault.use_safe_storage,
    "to safeStorage and back": to_safe_storage_and_back,
}


def change_killed_at(folder: Path, change: Callable[[Vault], object], at: int) -> bool:
    return killed_at(at, lambda step: change(unlocked(folder, step)))


def values(folder: Path) -> set[bytes | None]:
    vault = unlocked(folder)
    found = {vault.get(name) for name in NAMES}
    # It can be written to, and rotated to its end.
    vault.put(SPARE, b"spare")
    vault.rotate_keys()
    vault.rotate_kek()
    assert {vault.get(name) for name in NAMES} == found
    vault.close()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_every_record_opens_after_a_kill_at_any_step(name: str, tmp_path: Path) -> None:
    at = 0
    while True:
        folder = tmp_path / str(at)
        fill(folder)
        killed = change_killed_at(folder, CHANGES[name], at)
        found = values(folder)
        if name == "rotate lazily":
            assert found <= {b"old", b"new"}
        else:
            assert found in ({b"old"}, {b"new"}), f"at step {at}"
        if not killed:
            break
        at += 1
    assert at >= 5, "there are steps to be killed at"


@pytest.mark.slow
def test_a_kill_while_the_vault_is_made_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    at = 0
    while True:
        folder = tmp_path / str(at)
        killed = change_killed_at(folder, lambda vault: vault.put(NAMES[0], b"new"), at)
        vault = opened(folder)
        assert vault.get(NAMES[0]) in ({None, b"new"} if killed else {b"new"})
        vault.put(NAMES[0], b"newer")
        vault.close()
        assert opened(folder).get(NAMES[0]) == b"newer"
        if not killed:
            break
        at += 1


@pytest.mark.slow
def test_one_vault_lives_through_a_hundred_kills(tmp_path: Path) -> None:
    """The same vault again and again, each change killed one step later than the one before."""
    fill(tmp_path)
    changes = list(CHANGES.values())
    at = kills = 0
    while kills < ROUNDS:
        before = kills
        for change in changes:
            kills += change_killed_at(tmp_path, change, at)
            vault = unlocked(tmp_path)
            assert {vault.get(name) for name in NAMES} <= {b"old", b"new"}
            vault.close()
        at = at + 1 if kills > before else 0


@pytest.mark.slow
def test_a_killed_import_has_brought_in_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed_records, "PACK_BYTES", 256)
    fill(tmp_path / "here")
    here = opened(tmp_path / "here")
    write(here)
    export_vault(here, tmp_path / "export", bytearray(PASSWORD))
    here.close()

    def bring_in(vault: Vault) -> None:
        with (tmp_path / "export").open("rb") as file:
            import_vault(vault, file, bytearray(PASSWORD))

    at = 0
    while True:
        folder = tmp_path / str(at)
        fill(folder)
        killed = change_killed_at(folder, bring_in, at)
        found = values(folder)
        assert found in ({b"old"}, {b"new"}), f"at step {at}"
        if not killed:
            assert found == {b"new"}
            break
        at += 1
    assert at >= 20, "there are several packs"


@pytest.mark.slow
def test_a_killed_export_leaves_no_file_of_its_name_or_a_whole_one(tmp_path: Path) -> None:
    fill(tmp_path / "here")
    vault = opened(tmp_path / "here")
    vault.put(SPARE, bytes(200_000))
    file, unfinished = tmp_path / "export", tmp_path / "export.unfinished"
    at = 0
    while killed_at(at, lambda step: export_vault(vault, file, bytearray(PASSWORD), step=step)):
        at += 1
        if unfinished.exists():
            assert stat.S_IMODE(unfinished.stat().st_mode) == 0o600
        if not file.exists():
            continue
        there = opened(tmp_path / str(at))
        with file.open("rb") as content:
            assert import_vault(there, content, bytearray(PASSWORD)) == len(NAMES) + 1
        assert {there.get(name) for name in NAMES} == {b"old"}
        there.close()
        file.unlink()
    assert at >= 7, "there are steps to be killed at"
    assert file.exists()
    assert not unfinished.exists()
