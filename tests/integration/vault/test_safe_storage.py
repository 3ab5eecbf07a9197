"""The vault's key with Electron's safeStorage, in real backends with and without a shell."""

import base64
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from cryptography.fernet import Fernet
from msgspec import Raw

from tests.integration.commands.test_cli import headless
from tests.integration.shell import TestShell, start_shell
from tests.integration.vault.test_vault import CONFIG, get, health, put, status, vault_command

pytestmark = pytest.mark.requirement("3.3")


def with_safe_storage(shell: TestShell, key: bytes) -> None:
    """The answers of deskbus-electron; its own code is tested where it lies."""

    async def seal(params: Raw) -> dict[str, Any]:
        text = msgspec.json.decode(params)["text"]
        sealed = Fernet(key).encrypt(text.encode())
        return {"sealed": base64.b64encode(sealed).decode(), "store": "gnome_libsecret"}

    async def unseal(params: Raw) -> dict[str, Any]:
        sealed = base64.b64decode(msgspec.json.decode(params)["sealed"])
        return {"text": Fernet(key).decrypt(sealed).decode()}

    shell.client.handle("vault.sealKey", seal)
    shell.client.handle("vault.openKey", unseal)


async def test_only_the_shell_opens_it_and_every_command_says_so(
    tmp_path: Path, anyio_backend: str
) -> None:
    data, key = tmp_path / "data", Fernet.generate_key()
    async with start_shell(data, config=CONFIG) as shell:
        with_safe_storage(shell, key)
        async with shell.app("desk.feed") as feed:
            await put(feed, "token", "one")
        await shell.client.call("vault.useSafeStorage")
        assert (await status(shell))["home"] == "safeStorage"
        vault = await health(shell)
        assert "encrypted by Electron's safeStorage (gnome_libsecret)" in vault["detail"]

    async def refused(*words: str) -> None:
        code, _, told = await anyio.to_thread.run_sync(partial(vault_command, data, *words))
        assert code == 1
        assert "start the app" in told, words

    async def each_command_is_refused() -> None:
        for words in (["unlock"], ["rotate"], ["use-keychain"], ["use-safe-storage"],
                      ["unset", "token"]):  # fmt: skip
            await refused(*words)

    await each_command_is_refused()
    async with headless(data):
        await each_command_is_refused()
    async with start_shell(data, config=CONFIG) as shell:
        with_safe_storage(shell, key)
        async with shell.app("desk.feed") as feed:
            assert await get(feed, "token") == "one"
