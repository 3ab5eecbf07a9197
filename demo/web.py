"""The demo's apps in an ordinary browser: `make demo-web`.

With a display the browser opens for a person, and this runs until Ctrl-C. Without one, or with
--auto, it plays itself in a headless Chromium, which Playwright drives, is checked step by step,
and leaves pictures in build/demo-web/. The pages are the very files that Electron shows.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from demo.electron import ROOT, has_display
from deskbus.commands.backend.developer_session import developer_session
from deskbus.commands.open import write_page
from deskbus.config import runtime_dir_for
from deskbus_protocol.client import Client
from deskbus_protocol.web import PairBrowserResult, WebSitesResult

DEMO = ROOT / "demo"
BUILD = ROOT / "build" / "demo-web"
SERVED = ("ticker", "blotter", "desk", "chaos", "feed.py")
APPS = ("demo.ticker", "demo.blotter")
LIMIT_S = 30.0
WATCH_S = 3.0


class StoryError(Exception):
    """A step of the demo did not happen."""


def lay_out(folder: Path) -> Path:
    """The demo's own files with `[web]` in the configuration; returns the configuration."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in SERVED:
        source = DEMO / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder / name)
    config = folder / "deskbus.toml"
    config.write_text((DEMO / "deskbus.toml").read_text() + "\n[web]\n")
    return config


@asynccontextmanager
async def backend(folder: Path) -> AsyncIterator[Client]:
    """A headless backend in which the price feed runs; its value is a developer's client."""
    config = lay_out(folder / "apps")
    data_dir = folder / "data"
    data_dir.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "deskbus", "serve", "--headless", "--consent", "allow"]
    command += ["--data-dir", str(data_dir), "--config", str(config)]
    with (folder / "backend.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        async with developer_session(data_dir, LIMIT_S) as client:
            await client.call("apps.launch", {"app": "demo.feed"})
            yield client
    finally:
        process.terminate()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(process.wait)


async def page_that_opens(client: Client, app: str) -> str:
    made = await client.call("web.pair", {"app": app}, result=PairBrowserResult)
    return write_page(runtime_dir_for(BUILD / "data"), app, made).as_uri()


class WebStory:
    """Plays the demo as a person would, and tells what happens when."""

    def __init__(self, client: Client, context: Any) -> None:
        self._client = client
        self._context = context
        self._began = time.monotonic()

    def tell(self, who: str, what: str) -> None:
        print(f"{time.monotonic() - self._began:6.2f} s  {who:<9} {what}", flush=True)

    async def open(self, app: str) -> Any:
        page = await self._context.new_page()
        page.on("pageerror", lambda error: self.tell("error", str(error)))
        await page.goto(await page_that_opens(self._client, app))
        await page.wait_for_url("**/index.html")
        self.tell("browser", f"shows {app} at {page.url}")
        return page

    async def play(self) -> None:
        blotter, ticker = await self.open("demo.blotter"), await self.open("demo.ticker")
        connect = ticker.locator("#connect")
        if await connect.is_visible():
            await connect.click()
            self.tell("person", "clicks “Connect to prices” in Ticker")
        await ticker.locator("#rows tr").nth(7).wait_for()
        self.tell("Ticker", "shows prices of 8 instruments")
        before = await self.count(ticker)
        await anyio.sleep(WATCH_S)
        rate = (await self.count(ticker) - before) / WATCH_S
        self.tell("Ticker", f"gets {rate:.0f} prices a second")
        if rate <= 1:
            raise StoryError("no prices flow")
        await ticker.screenshot(path=BUILD / "01-ticker.png")
        await ticker.locator("tr[data-symbol=EURUSD] .buy").click()
        answer = ticker.locator("#answer", has_text="the ticket is filled")
        await answer.wait_for()
        self.tell("person", f"clicks a price; Blotter answers: “{await answer.inner_text()}”")
        await blotter.locator("#submit").click()
        await blotter.locator("#orders tr .status").first.wait_for()
        status = await blotter.locator("#orders tr .status").first.inner_text()
        self.tell("person", f"sends the order in Blotter, which shows it as {status}")
        await ticker.locator("#order", has_text="Order 0001").wait_for()
        self.tell("Ticker", f"hears of it: “{await ticker.locator('#order').inner_text()}”")
        await blotter.screenshot(path=BUILD / "02-blotter.png")
        await ticker.screenshot(path=BUILD / "03-ticker.png")

    @staticmethod
    async def count(page: Any) -> float:
        return float(await page.evaluate("desk.flow.snapshot().count"))


async def play(client: Client) -> None:
    # Imported here: a person's own browser needs no driver.
    from playwright.async_api import async_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise StoryError("there is no Chromium here; install it, or run this with a display")
    async with async_playwright() as driver:
        context = await driver.chromium.launch_persistent_context(
            BUILD / "profile",
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            viewport={"width": 1040, "height": 640},
        )
        context.set_default_timeout(LIMIT_S * 1000)
        try:
            await WebStory(client, context).play()
        finally:
            await context.close()


async def show(client: Client) -> None:
    """Opens a person's own browser, and stays."""
    import webbrowser

    for app in APPS:
        address = await page_that_opens(client, app)
        print(f"{app}: {address}", flush=True)
        webbrowser.open(address)
        await anyio.sleep(1)
    print("Ctrl-C ends it.", flush=True)
    await anyio.sleep_forever()


async def main(auto: bool) -> None:
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    async with backend(BUILD) as client:
        served = await client.call("web.sites", {}, result=WebSitesResult)
        for site in served.sites:
            print(f"{site.app}: {site.url}")
        if auto or not has_display():
            await play(client)
            print(f"Pictures are in {BUILD.relative_to(ROOT)}/")
        else:
            await show(client)


if __name__ == "__main__":
    options = argparse.ArgumentParser(prog="python -m demo.web")
    options.add_argument("--auto", action="store_true", help="play by itself, with a display too")
    try:
        anyio.run(main, options.parse_args().auto)
    except KeyboardInterrupt:
        pass
    except StoryError as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        sys.exit(1)
