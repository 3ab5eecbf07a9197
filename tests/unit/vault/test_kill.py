"""SIGKILL at every step of every change: afterwards every record opens, old or new."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deskbus.vault.folder import Step, no_step
from deskbus.vault.keychain import Absent, Found
from deskbus.vault.records import Name
from deskbus.vault.vault import Vault
from tests.unit.vault.fakes import vault_in

pytestmark = [
    pytest.mark.requirement("3.3"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

ROUNDS = 100
"""At least so many kills in all; the steps are gone through again until then."""

NAMES = [Name("apps", "desk.feed", str(n)) for n in range(300)]
SPARE = Name("apps", "desk.feed", "spare")
PASSWORD = b"correct horse"


class FileKeychain:
    """Keeps its entries in files, so that they outlive the process that is killed."""

    name = "secret-service"

    def __init__(self, folder: Path, step: Step = no_step) -> None:
        self._folder = folder
        self._step = step

    def read(self, entry: str) -> Found | Absent:
        try:
            return Found((self._folder / entry).read_text())
        except FileNotFoundError:
            return Absent()

    def write(self, entry: str, value: str) -> None:
        self._step("keychain: before")
        unfinished = self._folder / "unfinished"
        unfinished.write_text(value)
        unfinished.replace(self._folder / entry)
        self._step("keychain: written")

    def delete(self, entry: str) -> None:
        (self._folder / entry).unlink()
        self._step("keychain: deleted")


def opened(folder: Path, step: Step = no_step) -> Vault:
    keychain = folder / "keychain"
    keychain.mkdir(parents=True, exist_ok=True)
    return vault_in(folder / "vault", FileKeychain(keychain, step), step=step)


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


CHANGES: dict[str, Callable[[Vault], object]] = {
    "write": write,
    "delete": lambda vault: vault.delete(SPARE),
    "rotate the kek": Vault.rotate_kek,
    "rotate the data keys": Vault.rotate_keys,
    "rotate lazily": rotate_lazily_and_write,
    "to a password": lambda vault: vault.use_password(bytearray(PASSWORD)),
}


def killed_at(folder: Path, change: Callable[[Vault], object], at: int) -> bool:
    """Makes the change in a child that is killed at its step number `at`; False if it had less."""
    child = os.fork()
    if child == 0:
        count = 0

        def step(_: str) -> None:
            nonlocal count
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        code = 1
        try:
            change(opened(folder, step))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def values(folder: Path) -> set[bytes | None]:
    vault = opened(folder)
    vault.unlock(bytearray(PASSWORD))
    found = {vault.get(name) for name in NAMES}
    # It can be written to, and rotated to its end.
    vault.put(SPARE, b"spare")
    vault.rotate_keys()
    vault.rotate_kek()
    assert {vault.get(name) for name in NAMES} == found
    vault.close()
    return found


@pytest.mark.parametrize("name", CHANGES)
def test_every_record_opens_after_a_kill_at_any_step(name: str, tmp_path: Path) -> None:
    at = 0
    while True:
        folder = tmp_path / str(at)
        fill(folder)
        killed = killed_at(folder, CHANGES[name], at)
        found = values(folder)
        if name == "rotate lazily":
            assert found <= {b"old", b"new"}
        else:
            assert found in ({b"old"}, {b"new"}), f"at step {at}"
        if not killed:
            break
        at += 1
    assert at >= 5, "there are steps to be killed at"


def test_a_kill_while_the_vault_is_made_leaves_none_or_a_whole_one(tmp_path: Path) -> None:
    at = 0
    while True:
        folder = tmp_path / str(at)
        killed = killed_at(folder, lambda vault: vault.put(NAMES[0], b"new"), at)
        vault = opened(folder)
        assert vault.get(NAMES[0]) in ({None, b"new"} if killed else {b"new"})
        vault.put(NAMES[0], b"newer")
        vault.close()
        assert opened(folder).get(NAMES[0]) == b"newer"
        if not killed:
            break
        at += 1


def test_one_vault_lives_through_a_hundred_kills(tmp_path: Path) -> None:
    """The same vault again and again, each change killed one step later than the one before."""
    fill(tmp_path)
    changes = [CHANGES[name] for name in CHANGES if name != "to a password"]
    at = 0
    for n in range(ROUNDS):
        if not killed_at(tmp_path, changes[n % len(changes)], at):
            at = 0
        elif n % len(changes) == len(changes) - 1:
            at += 1
        vault = opened(tmp_path)
        assert {vault.get(name) for name in NAMES} <= {b"old", b"new"}
        vault.close()
