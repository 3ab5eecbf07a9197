"""An app's secrets in its page, and the notice of a vault that keeps nothing or is locked."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from demo.devtools import Page
from demo.electron import ElectronSession
from demo.processes import eventually, remains
from tests.electron.conftest import Starter
from tests.electron.mainprocess import in_main
from tests.electron.reliability.test_survival import backend_of
from tests.integration.vault.secretservice import SecretService
from tests.integration.vault.test_vault import vault_command

pytestmark = pytest.mark.requirement("3.3")

CANARY = "canary-in-a-page-4c7e"
NOTICE = "/notice.html"
PASSWORD = "correct horse"
PERMISSION_DENIED, NOT_FOUND = -32010, -32019
QUIT_WITHIN_S = 5.0
ENDS_WITHIN_S = 1.0
"""Where it would end at all."""


async def call(page: Page, expression: str) -> Any:
    """The value that `deskbus.secrets.…` resolves to, or the error that it rejects with."""
    await page.until("window.deskbus")
    return await page.evaluate(f"deskbus.secrets.{expression}.catch((error) => error)")


async def keep(page: Page, name: str, value: str) -> None:
    assert await call(page, f"set({json.dumps(name)}, {json.dumps(value)})") is None


async def notice_of(electron: ElectronSession) -> Page:
    notice = await electron.window(NOTICE)
    await notice.until("document.querySelector('#title').textContent")
    return notice


def is_open(electron: ElectronSession, ending: str) -> bool:
    return any(target.url.endswith(ending) for target in electron.browser.targets())


async def hears(electron: ElectronSession, words: str) -> bool:
    return await eventually(lambda: words in electron.log.read_text(errors="replace"), 5)


async def test_a_page_keeps_secrets_that_no_other_app_reads(
    electron_with: Starter, keychain: SecretService, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with electron_with("test.keeper", "test.curious", "test.sender", data=data) as electron:
        keeper, curious = await electron.window("?keeper"), await electron.window("?curious")
        await keep(keeper, "token", CANARY)
        await keep(curious, "token", "its own")
        assert await call(keeper, "get('token')") == CANARY
        assert await call(curious, "get('token')") == "its own"
        assert await call(keeper, "list()") == ["token"]
        await keep(keeper, "more", "x")
        assert await call(keeper, "list()") == ["more", "token"]
        assert [await call(keeper, "delete('more')") for _ in range(2)] == [True, False]
        missing = await call(curious, "get('more')")
        assert (missing["name"], missing["code"]) == ("DeskbusError", NOT_FOUND)
        refused = await call(await electron.window("?sender"), f"set('token', '{CANARY}')")
        assert refused["code"] == PERMISSION_DENIED
        assert not is_open(electron, NOTICE)
    async with electron_with("test.keeper", data=data) as electron:
        assert await call(await electron.window("?keeper"), "get('token')") == CANARY
        log = electron.log.read_text(errors="replace")
    written = [file.read_bytes() for file in data.rglob("*") if file.is_file()]
    assert len(written) > 3
    assert not any(CANARY.encode() in content for content in [log.encode(), *written])


async def test_a_person_is_told_once_that_secrets_are_in_memory_only(
    electron_with: Starter,
) -> None:
    async with electron_with("test.keeper", "test.curious") as electron:
        keeper = await electron.window("?keeper")
        await keep(keeper, "token", "one")
        notice = await notice_of(electron)
        words = await notice.evaluate("document.body.innerText")
        assert "Secrets are not kept" in words
        assert "gone when this program ends" in words
        assert "change-password" in words
        assert await hears(electron, "the shell hears: the vault is memory")
        await notice.click("#dismiss")
        await electron.browser.gone(notice)
        # Another backend finds the same; the person has read it already.
        backend = backend_of(electron)
        assert backend is not None
        backend.kill()
        await keeper.until("deskbus.state() !== 'open'")
        curious = await electron.window("?curious")
        await curious.until("deskbus.state() === 'open'", timeout_s=15)
        await keep(curious, "token", "two")
        heard = "the shell hears: the vault is memory"
        assert await eventually(
            lambda: electron.log.read_text(errors="replace").count(heard) == 2, 5
        )
        assert not is_open(electron, NOTICE)


async def test_a_locked_vault_is_opened_from_its_notice(
    electron_with: Starter, keychain: SecretService, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with electron_with("test.keeper", data=data) as electron:
        await keep(await electron.window("?keeper"), "token", CANARY)
    keychain.stop()
    keychain.start(unlocked=False)
    async with electron_with("test.keeper", data=data) as electron:
        notice = await notice_of(electron)
        assert "the keychain is locked" in await notice.text("#words")
        await notice.click("#accept")
        await notice.until("!document.querySelector('#problem').hidden")
        assert "vault is locked" in await notice.text("#problem")
        keychain.unlock()
        await notice.click("#accept")
        await electron.browser.gone(notice)
        assert await hears(electron, "the shell hears: the vault is unlocked")
        assert await call(await electron.window("?keeper"), "get('token')") == CANARY


async def test_a_master_password_is_asked_for_in_the_notice(
    electron_with: Starter, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    made = await anyio.to_thread.run_sync(
        lambda: vault_command(data, "change-password", passwords=("", PASSWORD))
    )
    assert made[0] == 0
    async with electron_with("test.keeper", data=data) as electron:
        notice = await notice_of(electron)
        for typed in ("battery staple", PASSWORD):
            await notice.click("#password")
            await notice.type(typed)
            await notice.click("#accept")
            if typed != PASSWORD:
                await notice.until("!document.querySelector('#problem').hidden")
                assert "password is wrong" in await notice.text("#problem")
        await electron.browser.gone(notice)
        await keep(await electron.window("?keeper"), "token", "one")
        assert PASSWORD not in electron.log.read_text(errors="replace")


async def test_a_notice_neither_keeps_electron_running_nor_ends_it(
    electron_with: Starter,
) -> None:
    async with electron_with("test.keeper") as electron:
        keeper = await electron.window("?keeper")
        await keep(keeper, "token", "one")
        await notice_of(electron)
        tree = electron.tree()
        await keeper.close()
        assert await remains(tree, QUIT_WITHIN_S) == []


async def test_dismissing_a_notice_that_is_the_only_window_does_not_end_electron(
    electron_with: Starter, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    await anyio.to_thread.run_sync(
        lambda: vault_command(data, "change-password", passwords=("", PASSWORD))
    )
    async with electron_with("test.family", data=data) as electron:
        notice = await notice_of(electron)
        tree = electron.tree()
        await notice.click("#dismiss")
        await notice.until("document.visibilityState === 'hidden'")
        assert await remains(tree[:1], ENDS_WITHIN_S) != []
        assert backend_of(electron) is not None


async def test_an_electron_without_safe_storage_says_so(electron: ElectronSession) -> None:
    """Electron 9, that is; what a later one answers is tested against a stand-in."""
    await electron.window("?sender")  # by then the backend is up
    if await in_main(electron, "Boolean(electron.safeStorage)"):
        pytest.skip("this Electron has safeStorage")
    told = await in_main(
        electron,
        "await shell.call('vault.useSafeStorage').then(() => '', (error) => error.message)",
    )
    assert "has no safeStorage" in told
