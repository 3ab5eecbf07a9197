"""Kills a child at a chosen step of what it does, and a keychain that outlives it."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from deskbus.vault.keys.keychain import AbsentEntry, FoundEntry
from deskbus.vault.records.vault_folder import Step, no_step
from deskbus.vault.vault import Vault
from tests.unit.vault.fakes import FakeSafeStorage, vault_in


class FileKeychain:
    """Keeps its entries in files, so that they outlive the process that is killed."""

    def __init__(self, name: str, folder: Path, step: Step = no_step) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._folder = folder
        self._step = step

    def read(self, entry: str) -> FoundEntry | AbsentEntry:
        try:
            return FoundEntry((self._folder / entry).read_text())
        except FileNotFoundError:
            return AbsentEntry()

    def write(self, entry: str, value: str) -> None:
        self._step("keychain: before")
        unfinished = self._folder / "unfinished"
        unfinished.write_text(value)
        unfinished.replace(self._folder / entry)
        self._step("keychain: written")

    def delete(self, entry: str) -> None:
        (self._folder / entry).unlink()
        self._step("keychain: deleted")

    def would_ask(self) -> bool:
        return False


def opened(folder: Path, step: Step = no_step) -> Vault:
    """The vault of that folder, with two keychains and a shell to be had."""
    keychains = [
        FileKeychain(name, folder / "keychains" / name, step)
        for name in ("secret-service", "kwallet")
    ]
    return vault_in(folder / "vault", *keychains, safe=FakeSafeStorage(), step=step)


def killed_at(at: int, action: Callable[[Step], object]) -> bool:
    """Does it in a child that is killed at its step number `at`; False if it had less."""
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
            action(step)
            code = 0
        except BaseException:  # nobody else would tell why: the child must not return
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False
