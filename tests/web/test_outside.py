"""Pages of a listed origin from elsewhere, with the SDK, in a real Chromium."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, Route

from tests.web.chromium import browser
from tests.web.desk import BLOTTER, LIMIT_S, OUTSIDE, WebDesk

pytestmark = [pytest.mark.slow, pytest.mark.requirement("5.2")]

SDK = Path(__file__).parents[2] / "electron-bridge/dist/web/index.mjs"
PAGE = """<!doctype html><title>outside</title>
<script type="module">import * as sdk from '/sdk.js'; window.sdk = sdk;</script>"""
CONNECT = """(options) => sdk.connectFromOutside(options).then(
  (client) => { window.client = client; return client.app; },
  (error) => error.message,
)"""
PAIR = """(site) => {
  const onNumber = (digits) => { window.number = digits; };
  return sdk.pairFromOutside({ site, onNumber }).catch((error) => error.message);
}"""


@pytest.fixture(scope="module")
async def context(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[BrowserContext]:
    async with browser(tmp_path_factory.mktemp("outside")) as started:
        started.set_default_timeout(LIMIT_S * 1000)
        yield started


async def outside_page(context: BrowserContext, origin: str) -> Page:
    """A page that the browser takes for one of this origin."""

    async def answer(route: Route) -> None:
        if route.request.url.endswith("/sdk.js"):
            await route.fulfill(body=SDK.read_text(), content_type="text/javascript")
        else:
            await route.fulfill(body=PAGE, content_type="text/html")

    await context.route(f"{origin}/**", answer)
    page = await context.new_page()
    await page.goto(f"{origin}/")
    return page


async def options(desk: WebDesk, pairing: str = "") -> dict[str, Any]:
    wish = {"app": BLOTTER, "origin": OUTSIDE}
    made = await desk.shell.client.call("web.pairOrigin", wish, result=dict)
    return {"app": BLOTTER, "site": desk.origins[BLOTTER], "pairing": pairing or made["pairing"]}


async def test_a_listed_page_connects_once_the_browser_and_a_person_let_it(
    desk: WebDesk, context: BrowserContext
) -> None:
    await context.grant_permissions(["local-network-access"], origin=OUTSIDE)
    page = await outside_page(context, OUTSIDE)
    assert await page.evaluate("sdk.loopbackAccess()") == "granted"
    assert await page.evaluate(CONNECT, await options(desk)) == BLOTTER
    answer = await page.evaluate("client.publish('from.outside', 1, { confirm: true })")
    assert answer["seq"] >= 1
    guessed = await page.evaluate(CONNECT, await options(desk, "guessed"))
    assert guessed == "This browser was not let in."


@pytest.mark.requirement("3.1")
async def test_a_listed_page_is_let_in_by_a_person_who_sees_its_number(
    desk: WebDesk, context: BrowserContext
) -> None:
    await context.grant_permissions(["local-network-access"], origin=OUTSIDE)
    page = await outside_page(context, OUTSIDE)
    desk.shell.person = desk.shell.allow
    pairing = await page.evaluate(PAIR, desk.origins[BLOTTER])
    assert desk.shell.dialogs[-1].number == await page.evaluate("number")
    assert desk.shell.dialogs[-1].scope == OUTSIDE
    assert await page.evaluate(CONNECT, await options(desk, pairing)) == BLOTTER

    desk.shell.person = desk.shell.deny
    assert "a person said no" in await page.evaluate(PAIR, desk.origins[BLOTTER])


async def test_a_page_that_the_browser_would_ask_about_connects_after_a_click_alone(
    desk: WebDesk, context: BrowserContext
) -> None:
    page = await outside_page(context, "https://asking.example.com")
    # Playwright's own way of evaluating counts as a click.
    devtools = await context.new_cdp_session(page)

    async def evaluate(expression: str) -> str:
        wish = {"expression": expression, "awaitPromise": True}
        return str((await devtools.send("Runtime.evaluate", wish))["result"]["value"])

    connect = f"({CONNECT})({json.dumps(await options(desk))})"
    assert await evaluate("sdk.loopbackAccess()") == "prompt"
    assert "from a click" in await evaluate(connect)
    await page.mouse.click(10, 10)
    assert "from a click" not in await evaluate(connect)


async def test_a_page_over_plain_http_is_told_why_it_can_t(
    desk: WebDesk, context: BrowserContext
) -> None:
    page = await outside_page(context, "http://plain.example.com")
    told = await page.evaluate(CONNECT, await options(desk))
    assert told.startswith("This page came over plain http")


async def test_a_page_whose_person_said_no_to_the_browser_is_told_so(
    desk: WebDesk, context: BrowserContext
) -> None:
    origin = "https://denied.example.com"
    page = await outside_page(context, origin)
    browser_itself = await context.new_cdp_session(page)
    refusal = {"permission": {"name": "loopback-network"}, "setting": "denied", "origin": origin}
    await browser_itself.send("Browser.setPermission", refusal)
    assert await page.evaluate("sdk.loopbackAccess()") == "denied"
    assert "site settings" in await page.evaluate(CONNECT, await options(desk))
