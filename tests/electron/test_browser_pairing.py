"""A person lets a browser in: a real Chromium asks, and a real Electron has the dialog."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, Page

from demo.devtools import Page as Dialog
from demo.electron import ALLOW, DENY, ROOT, ElectronSession
from tests.electron.conftest import CONFIG, Starter
from tests.electron.mainprocess import shell_call
from tests.web.chromium import browser

pytestmark = [pytest.mark.slow, pytest.mark.requirement("3.1"), pytest.mark.requirement("5.4")]

LIMIT_S = 20
OPENED = "test.opened"
PICTURES = ROOT / "build/web"
WITH_WEB = f"""{CONFIG}
[[apps]]
id = "{OPENED}"
name = "Opened <b>elsewhere</b>"
grants = [{{ permission = "messaging.write", scope = "#" }}]
[[apps.windows]]
url = "opened.html"
[web]
"""
PAGE = "<!doctype html><html lang='en'><title>opened</title><body><p>A page</p></body></html>"


@pytest.fixture(scope="module")
async def electron(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    pages = {"opened.html": PAGE}
    async with electron_with("test.sender", config=WITH_WEB, pages=pages) as session:
        PICTURES.mkdir(parents=True, exist_ok=True)
        yield session


@pytest.fixture(scope="module")
async def context(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[BrowserContext]:
    async with browser(tmp_path_factory.mktemp("chromium")) as started:
        started.set_default_timeout(LIMIT_S * 1000)
        yield started


async def asking(electron: ElectronSession, context: BrowserContext) -> tuple[Page, Dialog]:
    """A page whose person has clicked, and the dialog that came of it, with the page's number."""
    sites = (await shell_call(electron, "web.sites"))["sites"]
    (url,) = [site["url"] for site in sites if site["app"] == OPENED]
    page = await context.new_page()
    await page.goto(url)
    assert not [target for target in electron.browser.targets() if "dialog.html" in target.url]
    await page.get_by_role("button").click()
    dialog = await electron.dialog()
    number = await page.locator("output").text_content()
    assert await dialog.text("#number") == number
    assert number is not None
    assert len(number) == 7
    return page, dialog


async def click(dialog: Dialog, selector: str) -> None:
    await dialog.until(f"document.querySelector('{selector}').disabled === false")
    await dialog.click(selector)


async def events(electron: ElectronSession, kind: str) -> list[str]:
    found = await shell_call(electron, "audit.query", types=[kind], apps=[OPENED])
    return [each["details"].get("number", "") for each in found["records"]]


async def test_a_browser_is_let_in_by_a_click_on_allow(
    electron: ElectronSession, context: BrowserContext
) -> None:
    page, dialog = await asking(electron, context)
    words = await dialog.evaluate("document.body.innerText")
    assert "Let a browser open Opened <b>elsewhere</b>?" in words
    assert page.url.removesuffix("/opened.html") in words
    await dialog.click(ALLOW)
    assert await dialog.evaluate(f"document.querySelector('{ALLOW}').disabled"), "too slow"
    assert await electron.picture(dialog, PICTURES / "pairing-dialog.png")
    await page.screenshot(path=PICTURES / "pairing-page.png")
    number = await dialog.text("#number")
    await click(dialog, ALLOW)
    await page.wait_for_selector('meta[name="deskbus-csrf"]', state="attached")
    answer = await page.evaluate("deskbus.publish('from.browser', 1, { confirm: true })")
    assert answer["seq"] == 1
    assert await page.locator("output").count() == 0
    assert number in await events(electron, "web.entered")
    await electron.browser.gone(dialog)


async def test_a_browser_stays_out_when_the_dialog_is_denied_or_its_page_goes_away(
    electron: ElectronSession, context: BrowserContext
) -> None:
    await context.clear_cookies()
    page, dialog = await asking(electron, context)
    await click(dialog, DENY)
    await page.get_by_text("a person said no").wait_for()
    assert await page.locator('meta[name="deskbus-csrf"]').count() == 0
    await electron.browser.gone(dialog)
    await page.close()

    page, dialog = await asking(electron, context)
    await page.close()
    await electron.browser.gone(dialog, timeout_s=LIMIT_S)
