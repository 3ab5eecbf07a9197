"""A window whose process died shows what happened, and comes back with a click."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

from demo.devtools import DevToolsError, Page, PageThrewError
from demo.electron import ElectronSession
from demo.processes import is_alive, remains, tree
from tests.electron.conftest import Starter
from tests.electron.mainprocess import in_main, shell_call
from tests.integration.shell import LIMIT_S

APP, OTHER = "test.mortal", "test.alive"
CRASH_PAGE = "/crash.html"
WINDOW_PAGE = "?mortal"

PAGE = "<!doctype html><meta charset='utf-8'><title>page</title><p>A page</p>"

PROGRAM = """
import sys, anyio
from deskbus_protocol.client import connect_as_app

async def main():
    print("so far all is well", flush=True)
    print("about to do something <b>bold</b>", file=sys.stderr, flush=True)
    async with connect_as_app() as bus:
        await bus.closed.wait()

anyio.run(main)
"""

CONFIG = """
[[apps]]
id = "test.mortal"
name = "Mortal"
windows = [{{ url = "index.html?mortal", width = 800, height = 640 }}]
process = {{ kind = "python", entry = "program.py", ready = "session" }}
limits = {{ memory_mb = 900 }}
restart = {{ when = "never" }}

[[apps]]
id = "test.hasty"
name = "Hasty"
windows = [{{ url = "index.html?hasty" }}]
process = {{ kind = "python", entry = "program.py", ready = "session" }}
restart = {{ first_s = 0.05, longest_s = 0.05, crashes = 3 }}

[[apps]]
id = "test.background"
name = "Background"
process = {{ kind = "python", entry = "faulty.py" }}
restart = {{ first_s = 0.05, longest_s = 0.05, crashes = 2 }}

[[apps]]
id = "test.alive"
name = "Alive"
windows = [{{ url = "index.html?alive" }}]

[[apps]]
id = "test.util"
name = "Utility"
process = {{ kind = "utility", entry = "main.js" }}
"""


@pytest.fixture(scope="module")
async def electron(
    electron_with: Starter, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ElectronSession]:
    folder = tmp_path_factory.mktemp("mortal")
    programs = {"program.py": PROGRAM, "faulty.py": "raise SystemExit(3)", "main.js": ""}
    for name, text in {"index.html": PAGE, **programs}.items():
        (folder / name).write_text(text)
    # Relative addresses are taken from the configuration's own folder.
    config = CONFIG.format().replace('url = "', f'url = "{folder.as_uri()}/')
    config = config.replace('entry = "', f'entry = "{folder}/')
    async with electron_with(APP, OTHER, config=config) as session:
        for name in (WINDOW_PAGE, "?alive"):
            await (await session.window(name)).until("window.deskbus")
        yield session


@pytest.fixture
async def mortal(electron: ElectronSession) -> Page:
    """The window of an app that runs."""
    with anyio.fail_after(LIMIT_S):
        while not await launched(electron):
            continue
    await reached(electron, "ready")
    page = await electron.window(WINDOW_PAGE)
    await page.until("window.deskbus && deskbus.state() === 'open'")
    return page


async def launched(electron: ElectronSession) -> bool:
    """False while the app is still busy with its end."""
    try:
        await shell_call(electron, "apps.launch", app=APP)
    except PageThrewError as error:
        if "starting or ending" not in str(error):
            raise
        return False
    return True


async def status(electron: ElectronSession, app: str = APP) -> dict[str, Any]:
    apps = (await shell_call(electron, "apps.list"))["apps"]
    return next(one for one in apps if one["app"] == app)


async def kill(electron: ElectronSession, app: str = APP, number: int = signal.SIGSEGV) -> None:
    os.kill((await status(electron, app))["pid"], number)


async def crash_page(electron: ElectronSession) -> Page:
    page = await electron.window(CRASH_PAGE)
    await page.until("document.getElementById('crash') && !document.getElementById('crash').hidden")
    return page


async def reached(electron: ElectronSession, *states: str) -> None:
    """An app is told to come and go over time; nothing else says when it has."""
    with anyio.fail_after(LIMIT_S):
        while (await status(electron))["state"] not in states:
            continue


@pytest.mark.requirement("4.2")
async def test_a_killed_app_shows_what_happened_and_a_click_brings_it_back(
    electron: ElectronSession, mortal: Page
) -> None:
    await kill(electron)
    page = await crash_page(electron)
    await electron.browser.gone(mortal)
    words = await page.evaluate("document.body.innerText")
    for expected in ("Mortal has crashed", "Other apps are not affected", "SIGSEGV"):
        assert expected in words
    assert "so far all is well" in words
    # An app's output is text.
    assert "<b>bold</b>" in words
    assert await page.evaluate("document.querySelector('#log b')") is None

    await page.click("#restart")
    back = await electron.window(WINDOW_PAGE)
    await back.until("window.deskbus && deskbus.state() === 'open'")
    await electron.browser.gone(page)
    await reached(electron, "ready")


async def test_the_other_apps_window_is_untouched(electron: ElectronSession, mortal: Page) -> None:
    alive = await electron.window("?alive")
    await alive.evaluate("window.still = 'here'")
    await kill(electron)
    page = await crash_page(electron)
    assert await alive.evaluate("window.still + deskbus.state()") == "hereopen"
    await page.click("#restart")
    await electron.browser.gone(page)


async def test_closing_the_crash_page_closes_the_app(
    electron: ElectronSession, mortal: Page
) -> None:
    await kill(electron)
    page = await crash_page(electron)
    await page.click("#close")
    await electron.browser.gone(page)
    await reached(electron, "stopped")


async def test_closing_the_last_window_asks_the_app_to_end(
    electron: ElectronSession, mortal: Page
) -> None:
    running = tree((await status(electron))["pid"])
    await mortal.close()
    assert await remains(running, 5) == []
    await reached(electron, "stopped")


async def test_a_page_that_crashes_leaves_a_page_that_says_so_and_comes_back(
    electron: ElectronSession, mortal: Page
) -> None:
    with suppress(DevToolsError):
        with anyio.move_on_after(2):
            await mortal.call("Page.crash")
    page = await crash_page(electron)
    assert await page.text("#headline") == "This window of Mortal has crashed"
    await page.until("document.activeElement.id === 'restart'")
    await page.click("#restart")
    back = await electron.window(WINDOW_PAGE)
    await back.until("window.deskbus && deskbus.state() === 'open'")
    await electron.browser.gone(page)


async def test_an_app_that_crashes_again_and_again_waits_for_a_person(
    electron: ElectronSession,
) -> None:
    await shell_call(electron, "apps.launch", app="test.hasty")
    with anyio.fail_after(30):
        while (now := await status(electron, "test.hasty"))["state"] != "failed":
            if now["state"] == "ready" and "pid" in now:
                with suppress(ProcessLookupError):
                    os.kill(now["pid"], signal.SIGKILL)
    page = await crash_page(electron)
    words = await page.until(
        "document.getElementById('status').textContent.includes('too often') &&"
        " document.body.innerText"
    )
    assert "Hasty" in words
    await page.click("#close")
    await electron.browser.gone(page)


@pytest.mark.requirement("6.2")
async def test_a_person_is_asked_about_an_app_without_a_window_by_a_notice(
    electron: ElectronSession, tmp_path: Path
) -> None:
    await shell_call(electron, "apps.launch", app="test.background")
    notice = await electron.window("/notice.html")
    words = await notice.until(
        "document.querySelector('#title').textContent && document.body.innerText"
    )
    assert "Background keeps crashing" in words
    assert "exit code 3" in words
    assert await notice.text("#accept") == "Restart"
    assert await electron.picture(notice, tmp_path / "notice.png")
    await notice.click("#accept")
    await electron.browser.gone(notice)
    # It crashes again, so the person is asked again.
    again = await electron.window("/notice.html")
    await again.until("document.querySelector('#title').textContent")
    await again.click("#dismiss")
    await electron.browser.gone(again)
    assert (await status(electron, "test.background"))["state"] == "failed"


async def test_the_renderers_of_an_apps_windows_are_told_to_the_backend(
    electron: ElectronSession, mortal: Page
) -> None:
    pid = await in_main(
        electron,
        "electron.BrowserWindow.getAllWindows().map((window) => window.webContents)"
        f".find((contents) => contents.getURL().endsWith('{WINDOW_PAGE}')).getOSProcessId()",
    )
    stats = await shell_call(electron, "apps.stats", app=APP)
    # The program, and what draws its window.
    assert stats["apps"][0]["sample"]["processes"] == 2
    assert is_alive(pid)


async def test_a_utility_process_needs_a_newer_electron_and_says_so(
    electron: ElectronSession,
) -> None:
    words = await in_main(
        electron,
        "shell.launch('test.util').then(() => '', ({ message, category }) => category + message)",
    )
    assert words.startswith("unavailable")
    assert "Electron 22" in words


async def test_the_crash_page_has_a_bridge_of_its_own_and_nothing_else(
    electron: ElectronSession, mortal: Page
) -> None:
    await kill(electron)
    page = await crash_page(electron)
    for name in ("require", "process", "deskbus"):
        assert await page.evaluate(f"typeof {name}") == "undefined"
    assert await page.evaluate("fetch('https://example.com').then(() => 1, () => 0)") == 0
    await page.click("#close")
    await electron.browser.gone(page)
