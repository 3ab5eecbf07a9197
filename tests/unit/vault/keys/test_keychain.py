"""Calls of a keychain that a person answers late: nothing comes after it, and nothing before."""

import importlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deskbus.vault.keys import keychain as keychains
from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.keys.keychain import (
    KeychainError,
    LateKeychain,
    LockedEntry,
    SystemKeychain,
    find_keychain,
)
from deskbus.vault.vault import Vault
from tests.unit.vault.fakes import TOKEN, vault_in


class Backend:
    """One of keyring's, that waits for a person with the next thing it is to write."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.waits = False
        self.answered = threading.Event()
        self.written = 0

    def get_password(self, _: str, entry: str) -> str | None:
        return self.entries.get(entry)

    def set_password(self, _: str, entry: str, value: str) -> None:
        if self.waits:
            self.waits = False
            assert self.answered.wait(10)
        self.entries[entry] = value
        self.written += 1

    def delete_password(self, _: str, entry: str) -> None:
        del self.entries[entry]


@pytest.fixture
def nothing_late() -> Iterator[None]:
    """The keychains are those of the process."""
    yield
    for thread in keychains._late.values():
        thread.join(10)
    keychains._late.clear()


@pytest.mark.requirement("3.3")
@pytest.mark.usefixtures("nothing_late")
def test_what_a_person_allows_late_does_not_overwrite_a_newer_key(folder: Path) -> None:
    backend = Backend()
    system = SystemKeychain("secret-service", backend, within_s=0.1)
    vault = vault_in(folder, system)
    vault.put(TOKEN, b"one")
    backend.waits = True
    written = backend.written
    for _ in range(3):
        with pytest.raises(VaultLockedError, match="timed out"):
            vault.rotate_kek()
    # The one dialog is still there, and no other beside it.
    assert SystemKeychain("secret-service", backend).read("vault") == LockedEntry("timed out")
    backend.answered.set()
    keychains._late["secret-service"].join(10)
    assert backend.written == written + 1
    vault.rotate_kek()
    vault.close()
    assert vault_in(folder, system).get(TOKEN) == b"one"


@pytest.mark.requirement("3.3")
@pytest.mark.usefixtures("nothing_late")
def test_a_keychain_that_is_slow_to_come_up_is_not_done_without(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = threading.Event()

    def look(_: str) -> None:
        assert here.wait(10)

    monkeypatch.setattr(keychains, "PROBE_WITHIN_S", 0.05)
    monkeypatch.setattr(importlib, "import_module", look)
    monkeypatch.setattr(keychains, "_candidates", lambda: ["secret-service"])
    assert isinstance(find_keychain(), LateKeychain)
    vault = Vault(folder, find=find_keychain)
    with pytest.raises(VaultLockedError, match="timed out"):
        vault.put(TOKEN, b"one")
    assert vault.state == "locked"
    here.set()


def test_a_late_keychain_keeps_nothing() -> None:
    late = LateKeychain("secret-service")
    with pytest.raises(KeychainError, match="timed out"):
        late.write("a", "b")
    with pytest.raises(KeychainError, match="timed out"):
        late.delete("a")
    assert late.would_ask()


@pytest.mark.parametrize(("name", "asks"), [("windows", False), ("macos", True), ("kwallet", True)])
def test_where_it_can_not_be_known_a_keychain_counts_as_one_that_asks(
    name: str, asks: bool
) -> None:
    assert SystemKeychain(name, Backend()).would_ask() is asks
