"""The vault asks the shell for its key, on a thread of its own, and opens when a shell comes."""

from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from deskbus.components.secrets.shell_safe_storage import ShellSafeStorage, UnlockByShell
from deskbus.reliability.loops import Loops
from deskbus.reliability.resource_shortage import ResourceShortage
from deskbus.ui.shell import Shell
from deskbus.vault.service import VaultService
from deskbus.vault.vault import Vault
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.secrets import OpenedKey, OpenKeyParams, SealedKey, SealKeyParams, VaultStatus
from tests.unit.vault.fakes import FakeSafeStorage

LIMIT_S = 20


class ShellWithSafe:
    """A shell's link; its safeStorage is one in memory."""

    slow = False

    def __init__(self, safe: FakeSafeStorage, store: str = "gnome_libsecret") -> None:
        self._safe = safe
        self._store = store
        self.refuses = False

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any:
        if self.refuses:
            raise DeskbusError(UNAVAILABLE, "The keychain is locked.")
        if isinstance(params, SealKeyParams):
            sealed = self._safe.encrypt(params.text).ciphertext
            encoded = msgspec.to_builtins(sealed)
            return SealedKey(sealed=encoded, store=self._store)
        assert isinstance(params, OpenKeyParams)
        opened = self._safe.decrypt(msgspec.convert(params.sealed, bytes))
        return OpenedKey(text=opened.text, stale=opened.stale)

    def notify(self, method: str, params: object) -> None:
        pass


class Desk:
    """The backend's parts of it: the shell, and the vault's service over the folder."""

    def __init__(self, folder: Path) -> None:
        self.states: list[str] = []
        self.changed = anyio.Event()
        self.shell = Shell()
        safe = ShellSafeStorage(self.shell)
        self.vault = VaultService(Vault(folder, find=lambda _: None, safe=safe), self._note)
        self.unlock = UnlockByShell(self.shell, self.vault, Loops(ResourceShortage()))

    def _note(self, status: VaultStatus) -> None:
        self.states.append(status.state)
        self.changed.set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


async def made(folder: Path, peer: ShellWithSafe) -> None:
    desk = Desk(folder)
    desk.shell.connect(peer)
    async with desk.vault.running():
        await desk.vault.set("desk.feed", "token", "one")
        await desk.vault.use_safe_storage()
        words = str(desk.vault.health().detail)
        assert words.startswith("safeStorage: 256-bit key, encrypted by Electron's safeStorage")


async def test_it_is_locked_until_a_shell_comes_and_then_opens_by_itself(folder: Path) -> None:
    peer = ShellWithSafe(FakeSafeStorage())
    await made(folder, peer)
    desk = Desk(folder)
    async with desk.vault.running(), desk.unlock.running():
        for _ in range(2):
            with pytest.raises(DeskbusError, match="start the app") as locked:
                await desk.vault.get("desk.feed", "token")
            assert locked.value.kind is UNAVAILABLE
        assert "start the app" in str(desk.vault.health().detail)
        desk.changed = anyio.Event()
        desk.shell.connect(peer)
        with anyio.fail_after(LIMIT_S):
            await desk.changed.wait()
        assert desk.states == ["locked", "unlocked"]
        assert await desk.vault.get("desk.feed", "token") == "one"


@pytest.mark.parametrize("store", ["basic_text", "unknown", ""])
async def test_a_store_that_is_no_keychain_gets_no_key(folder: Path, store: str) -> None:
    desk = Desk(folder)
    desk.shell.connect(ShellWithSafe(FakeSafeStorage(), store))
    async with desk.vault.running():
        with pytest.raises(DeskbusError, match="no keychain behind it"):
            await desk.vault.use_safe_storage()
    assert not desk.vault.exists


async def test_what_the_shell_says_is_why_it_is_locked(folder: Path) -> None:
    peer = ShellWithSafe(FakeSafeStorage())
    await made(folder, peer)
    peer.refuses = True
    desk = Desk(folder)
    desk.shell.connect(peer)
    async with desk.vault.running():
        with pytest.raises(DeskbusError, match="safeStorage: The keychain is locked"):
            await desk.vault.get("desk.feed", "token")
        peer.refuses = False
        await desk.vault.unlock(None)
        assert await desk.vault.get("desk.feed", "token") == "one"
