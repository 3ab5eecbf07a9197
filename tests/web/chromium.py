"""Debian's Chromium, driven by Playwright; a browser with a profile of its own for each test."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, Page, async_playwright

from deskbus.commands.open import write_page
from deskbus_protocol.web import PairBrowserResult
from tests.conftest import absent
from tests.web.desk import TICKER, WebDesk

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        absent("there is no Chromium here")
    return found


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[BrowserContext]:
    async with async_playwright() as driver:
        context = await driver.chromium.launch_persistent_context(
            folder,
            executable_path=chromium(),
            args=ARGUMENTS,
            headless=True,
            viewport={"width": 900, "height": 640},
        )
        try:
            yield context
        finally:
            await context.close()


async def open_app(
    desk: WebDesk, context: BrowserContext, app: str = TICKER, path: str = "/**/index.html"
) -> Page:
    """As `deskbus open` does it: by a page that posts a code."""
    made = await desk.shell.client.call("web.pair", {"app": app}, result=PairBrowserResult)
    folder = Path(desk.shell.hello.pipe).parent
    page = await context.new_page()
    await page.goto(write_page(folder, app, made).as_uri())
    await page.wait_for_url(f"{desk.origins[app]}{path}")
    return page
