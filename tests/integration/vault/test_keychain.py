"""The vault with a real gnome-keyring: created, locked, unlocked, rotated, and let down."""

import gc
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deskbus.vault.keys import keychain as keychains
from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.keys.keychain import (
    AbsentEntry,
    FoundEntry,
    KeychainError,
    LockedEntry,
    SystemKeychain,
    find_keychain,
    probe,
)
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.vault import Vault
from tests.integration.vault.secretservice import SecretService, secret_service

pytestmark = [
    pytest.mark.requirement("3.3"),
    pytest.mark.skipif(
        shutil.which("gnome-keyring-daemon") is None, reason="there is no gnome-keyring here"
    ),
    # keyring leaves its connection to the garbage collector when the keychain is locked.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

TOKEN = Name("apps", "desk.feed", "token")


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    with secret_service(tmp_path / "home") as started:
        address = started.env["DBUS_SESSION_BUS_ADDRESS"]
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        started.start()
        yield started
        gc.collect()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


def test_a_vault_is_made_and_opens_after_a_restart(service: SecretService, folder: Path) -> None:
    vault = Vault(folder)
    vault.put(TOKEN, b"one")
    assert vault.status().kek_provider == "secret-service"
    vault.close()
    service.stop()
    service.start()
    vault = Vault(folder)
    assert vault.get(TOKEN) == b"one"
    vault.rotate_kek()
    vault.rotate_keys()
    vault.close()
    vault = Vault(folder)
    assert vault.get(TOKEN) == b"one"
    vault.close()


def test_locked_at_the_start_and_unlocked_later(service: SecretService, folder: Path) -> None:
    vault = Vault(folder)
    vault.put(TOKEN, b"one")
    vault.close()
    service.stop()
    service.start(unlocked=False)
    vault = Vault(folder)
    for password in (None, "a wrong password"):
        if password:
            service.unlock(password)
        with pytest.raises(VaultLockedError, match="locked"):
            vault.get(TOKEN)
        with pytest.raises(VaultLockedError, match="locked"):
            vault.put(TOKEN, b"two")
    assert vault.status().state == "locked"
    service.unlock()
    assert vault.get(TOKEN) == b"one"
    vault.close()


def test_whether_a_keychain_would_ask_is_found_out_in_silence(service: SecretService) -> None:
    keychain = find_keychain()
    assert keychain is not None
    assert not keychain.would_ask()
    service.stop()
    assert keychain.would_ask()
    service.start(unlocked=False)
    assert keychain.would_ask()
    service.unlock()
    assert not keychain.would_ask()


def test_an_entry_deleted_behind_our_back_is_not_made_anew(
    service: SecretService, folder: Path
) -> None:
    vault = Vault(folder)
    vault.put(TOKEN, b"one")
    vault.close()
    keychain = find_keychain()
    assert keychain is not None
    entry = f"vault {(folder / 'installation').read_text()}"
    assert isinstance(keychain.read(entry), FoundEntry)
    keychain.delete(entry)
    for _ in range(2):
        with pytest.raises(VaultLockedError, match="no longer"):
            vault.put(TOKEN, b"two")
    assert keychain.read(entry) == AbsentEntry()


def test_a_service_that_is_gone_locks(service: SecretService, folder: Path) -> None:
    vault = Vault(folder)
    vault.put(TOKEN, b"one")
    vault.close()
    service.close()
    with pytest.raises(VaultLockedError):
        vault.get(TOKEN)


@pytest.mark.parametrize("address", ["unix:path=/nonexistent", None])
def test_with_no_d_bus_at_all_secrets_are_in_memory_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if address is None:
        monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    else:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    assert find_keychain() is None
    assert not probe().reachable
    vault = Vault(folder)
    vault.put(TOKEN, b"one")
    assert vault.status().state == "memory"
    vault.close()


@pytest.mark.skipif(sys.platform != "linux", reason="the rc file has another place there")
def test_a_backend_forced_by_environment_or_file_is_ignored(
    service: SecretService, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("KEYRING_PROPERTY_PREFERRED_COLLECTION", "/nowhere")
    monkeypatch.setenv("KEYRING_PROPERTY_SCHEME", "KeePassXC")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    rc_file = tmp_path / "config/python_keyring/keyringrc.cfg"
    rc_file.parent.mkdir(parents=True)
    rc_file.write_text("[backend]\ndefault-keyring=keyring.backends.null.Keyring\n")
    vault = Vault(folder)
    vault.put(TOKEN, b"one")
    assert vault.status().kek_provider == "secret-service"
    vault.close()
    monkeypatch.undo()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", service.env["DBUS_SESSION_BUS_ADDRESS"])
    assert Vault(folder).get(TOKEN) == b"one"


class PromptDismissedException(Exception):  # noqa: N818  # SecretStorage calls it so
    """The outcome of closing the keychain's dialog."""


class Backend:
    """A backend that hangs, breaks, is dismissed, or drops what it is given."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def get_password(self, _: str, entry: str) -> str | None:
        if entry == "hangs":
            self.go_on.wait(10)
        if entry == "breaks":
            raise RuntimeError("with a secret in its text")
        if entry == "is dismissed":
            raise PromptDismissedException("with a secret in its text")
        return None

    def set_password(self, _: str, __: str, ___: str) -> None:
        return


def test_what_a_backend_does_wrong_is_told_as_locked(capsys: pytest.CaptureFixture[str]) -> None:
    backend = Backend()
    keychain = SystemKeychain("secret-service", backend, within_s=0.05)
    assert keychain.read("hangs") == LockedEntry("timed out")
    assert keychain.read("other") == LockedEntry("timed out"), "the first call is still out"
    backend.go_on.set()
    keychains._late["secret-service"].join(10)
    assert keychain.read("breaks") == LockedEntry("broken")
    assert keychain.read("is dismissed") == LockedEntry("locked")
    assert keychain.read("other") == AbsentEntry()
    with pytest.raises(KeychainError):
        keychain.write("other", "value")
    assert "with a secret" not in "".join(capsys.readouterr())
