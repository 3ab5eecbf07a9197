"""FDC3 in a browser: unmodified pages with FINOS's `getAgent()`, in a real Chromium."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from playwright.async_api import BrowserContext, Frame, Page

from deskbus_protocol.desktop import DESKTOP_APP
from tests.integration.shell import TestShell, start_shell
from tests.support.finos_page import finos_script
from tests.support.pictures import data_url, png
from tests.web.chromium import browser, open_app
from tests.web.desk import LIMIT_S, WebDesk
from tests.web.hostile import HostilePages, hostile_pages

pytestmark = [pytest.mark.slow, pytest.mark.requirement("F")]

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build/web"

INSTRUMENT = "{ type: 'fdc3.instrument', id: { ticker: 'EURUSD' } }"
CONTACT = "{ type: 'fdc3.contact', name: 'Jane' }"
RED = "fdc3.channel.1"

PREFERENCES = json.dumps(
    {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}
)

CONFIG = """
[web]

[fdc3]
consent = "allow"
directories = ["appd.json"]
"""


def records(pages: HostilePages) -> list[dict[str, Any]]:
    chart_intents = {
        "ViewChart": {"displayName": "View chart", "contexts": ["fdc3.instrument"]},
        "ViewNews": {"displayName": "View news", "contexts": ["fdc3.contact"]},
    }
    news_intents = {"ViewNews": {"displayName": "View news", "contexts": ["fdc3.contact"]}}
    return [
        {
            "appId": "Blotter",
            "name": "Blotter",
            "type": "web",
            "details": {"url": pages.url("blotter.localhost", "/app")},
        },
        {
            "appId": "Chart",
            "name": "Chart",
            "type": "web",
            "details": {"url": pages.url("chart.localhost", "/app")},
            "interop": {"intents": {"listensFor": chart_intents}},
        },
        {
            "appId": "News",
            "name": "News",
            "type": "web",
            "icons": [{"src": data_url(png(64))}],
            "details": {"url": pages.url("news.localhost", "/app")},
            "interop": {"intents": {"listensFor": news_intents}},
        },
    ]


class FdcDesk(NamedTuple):
    shell: TestShell
    web: WebDesk
    pages: HostilePages
    context: BrowserContext
    desktop: Page

    async def open(self, title: str) -> Page:
        """Opens an app as a person does; returns its page once it has found the agent."""
        async with self.context.expect_page() as opened:
            await self.desktop.get_by_role("button", name=title).last.click()
        page = await opened.value
        assert await outcome(page) == "found"
        return page

    async def identity(self, page: Page) -> dict[str, str]:
        told = "wanted.then((fdc3) => fdc3.getInfo()).then(({ appMetadata }) => appMetadata)"
        found: dict[str, str] = await page.evaluate(told)
        return found

    async def close_apps(self) -> None:
        """Leaves the desktop page alone, with nobody on its list."""
        for page in self.context.pages:
            if page is not self.desktop:
                await page.close()
        await self.desktop.locator("#none").wait_for(state="visible")


@pytest.fixture(scope="module")
async def desk(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FdcDesk]:
    folder = tmp_path_factory.mktemp("fdc3")
    script = finos_script(folder)
    async with hostile_pages() as pages:
        page = f"<!doctype html><title>app</title><script>{script}</script>"
        pages.pages |= {"/app": page, "/app/other": page, "/stranger": page}
        # Debian's Chromium gives frames of other sites no storage, which getAgent() needs.
        (folder / "profile/Default").mkdir(parents=True)
        (folder / "profile/Default/Preferences").write_text(PREFERENCES)
        (folder / "data").mkdir()
        (folder / "data/appd.json").write_text(json.dumps(records(pages)))
        async with (
            start_shell(folder / "data", config=CONFIG) as shell,
            browser(folder / "profile") as context,
        ):
            known = await shell.client.call("web.sites", {}, result=dict)
            urls = {site["app"]: site["url"] for site in known["sites"]}
            web = WebDesk(shell, folder, urls | {"com.example.ticker": urls[DESKTOP_APP]})
            context.set_default_timeout(LIMIT_S * 1000)
            desktop = await open_app(web, context, DESKTOP_APP, "/index.html")
            await desktop.get_by_role("button", name="Blotter").wait_for()
            yield FdcDesk(shell, web, pages, context, desktop)


@pytest.fixture(autouse=True)
async def alone(desk: FdcDesk) -> AsyncIterator[None]:
    yield
    await desk.close_apps()


async def outcome(page: Page | Frame) -> str:
    """Whether the page has found an agent, once it knows."""
    await page.wait_for_function("'outcome' in window")
    found: str = await page.evaluate("outcome")
    return found


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    with anyio.fail_after(LIMIT_S):
        while not (found := await look()):
            await anyio.sleep(0.02)
    return found


async def test_an_unmodified_page_finds_the_agent_and_shares_contexts(desk: FdcDesk) -> None:
    blotter, chart = await desk.open("Blotter"), await desk.open("Chart")
    assert (await desk.identity(blotter))["appId"] == "Blotter"
    for page in (blotter, chart):
        await page.evaluate(f"wanted.then((fdc3) => fdc3.joinUserChannel('{RED}'))")
    await chart.evaluate(
        "wanted.then((fdc3) => fdc3.addContextListener('fdc3.instrument',"
        " (context, metadata) => heard.push({ context, metadata })))"
    )
    await blotter.evaluate(f"wanted.then((fdc3) => fdc3.broadcast({INSTRUMENT}))")
    [heard] = await until(lambda: chart.evaluate("heard"))
    assert heard["context"]["id"] == {"ticker": "EURUSD"}
    PICTURES.mkdir(parents=True, exist_ok=True)
    await desk.desktop.screenshot(path=PICTURES / "desktop.png")


async def test_an_intent_opens_the_app_that_takes_it_and_brings_its_result(desk: FdcDesk) -> None:
    blotter = await desk.open("Blotter")
    async with desk.context.expect_page() as opened:
        await blotter.evaluate(
            f"void (window.raised = wanted.then((fdc3) => fdc3.raiseIntent('ViewChart',"
            f" {INSTRUMENT})).then((resolution) => resolution.getResult()))"
        )
    chart = await opened.value
    assert await outcome(chart) == "found"
    await chart.evaluate(
        "wanted.then((fdc3) => fdc3.addIntentListener('ViewChart', async (context) =>"
        " ({ type: 'fdc3.valuation', value: 1, of: context.id.ticker })))"
    )
    assert await blotter.evaluate("raised") == {
        "type": "fdc3.valuation",
        "value": 1,
        "of": "EURUSD",
    }


async def test_a_person_chooses_the_app_in_the_desktop_page(desk: FdcDesk) -> None:
    blotter = await desk.open("Blotter")
    news = await desk.open("News")
    await news.evaluate(
        "wanted.then((fdc3) => fdc3.addIntentListener('ViewNews', async (context) =>"
        " { heard.push(context); }))"
    )
    await blotter.evaluate(
        f"void (window.raised = wanted.then((fdc3) => fdc3.raiseIntent('ViewNews', {CONTACT})))"
    )
    dialog = desk.desktop.locator("#choice")
    await dialog.get_by_role("option", name="running").wait_for()
    icon = dialog.get_by_role("option", name="running").locator("img")
    assert await icon.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 64
    await desk.desktop.screenshot(path=PICTURES / "desktop-choice.png")
    await dialog.get_by_role("option", name="running").click()
    assert (await blotter.evaluate("raised"))["source"]["appId"] == "News"
    [context] = await until(lambda: news.evaluate("heard"))
    assert context["name"] == "Jane"
    refused = blotter.evaluate(
        f"wanted.then((fdc3) => fdc3.raiseIntent('ViewNews', {CONTACT}))"
        ".then(() => 'raised', ({ message }) => message)"
    )
    async with anyio.create_task_group() as tasks:

        async def dismiss() -> None:
            await dialog.wait_for(state="visible")
            await desk.desktop.keyboard.press("Escape")

        tasks.start_soon(dismiss)
        assert await refused == "UserCancelledResolution"


async def test_a_choice_that_a_person_has_remembered_is_listed_and_taken_back(
    desk: FdcDesk,
) -> None:
    blotter, news = await desk.open("Blotter"), await desk.open("News")
    await news.evaluate(
        "wanted.then((fdc3) => fdc3.addIntentListener('ViewNews', async () => undefined))"
    )
    raising = f"wanted.then((fdc3) => fdc3.raiseIntent('ViewNews', {CONTACT}))"
    dialog = desk.desktop.locator("#choice")

    async def choose(*, remember: bool) -> None:
        await dialog.get_by_role("option", name="running").wait_for()
        if remember:
            await dialog.get_by_role("checkbox").check()
        await dialog.get_by_role("option", name="running").click()

    await blotter.evaluate(f"void (window.raised = {raising})")
    await choose(remember=True)
    assert (await blotter.evaluate("raised"))["source"]["appId"] == "News"
    # Nobody answers a dialog now.
    assert (await blotter.evaluate(raising))["source"]["appId"] == "News"
    listed = await desk.shell.client.call("permissions.list", {}, result=dict)
    [kept] = [each for each in listed["records"] if each["permission"] == "fdc3.choose"]
    assert kept["source"] == "person"
    assert kept["scopeWords"] == "News, for: ViewNews, with contacts"
    taken = {name: kept[name] for name in ("app", "permission", "scope")}
    await desk.shell.client.call("permissions.revoke", taken, result=dict)
    await blotter.evaluate(f"void (window.raised = {raising})")
    await choose(remember=False)
    await blotter.evaluate("raised")


async def test_a_person_moves_an_app_to_another_channel(desk: FdcDesk) -> None:
    blotter = await desk.open("Blotter")
    await desk.desktop.get_by_role("button", name="Channel of Blotter").click()
    await desk.desktop.locator("#choice").get_by_role("option", name="Channel 2").click()
    joined = "wanted.then((fdc3) => fdc3.getCurrentChannel()).then((channel) => channel?.id)"

    async def moved() -> bool:
        return bool(await blotter.evaluate(joined) == "fdc3.channel.2")

    await until(moved)
    row = desk.desktop.get_by_role("button", name="Channel of Blotter: Channel 2")
    await row.wait_for()


async def test_a_reload_keeps_the_identity_and_a_copied_secret_gives_none(desk: FdcDesk) -> None:
    blotter = await desk.open("Blotter")
    before = await desk.identity(blotter)
    await blotter.reload()
    assert await outcome(blotter) == "found"
    assert (await desk.identity(blotter))["instanceId"] == before["instanceId"]
    # A window that an app opens starts with a copy of its storage, secret and all.
    async with desk.context.expect_page() as opened:
        await blotter.evaluate("void open(location.href)")
    copy = await opened.value
    assert await outcome(copy) == "found"
    assert (await desk.identity(copy))["instanceId"] != before["instanceId"]
    secrets = await blotter.evaluate(
        "JSON.stringify(Object.values(sessionStorage)).match(/instanceUuid[^0-9a-f]*([0-9a-f-]+)/)[1]"
    )
    found = await copy.evaluate(
        "wanted.then((fdc3) => fdc3.findInstances({ appId: 'Blotter' })).then(JSON.stringify)"
    )
    assert before["instanceId"] in found
    assert secrets not in found


async def test_a_page_can_t_claim_to_be_an_app_of_another_origin(desk: FdcDesk) -> None:
    blotter = await desk.open("Blotter")
    chart = desk.pages.url("chart.localhost", "/app")
    stranger = desk.pages.url("stranger.localhost", "/stranger")
    async with desk.context.expect_page() as opened:
        await blotter.evaluate(f"void open('{stranger}')")
    page = await opened.value
    assert await outcome(page) == "Error: AccessDenied"
    claim = f"""new Promise((resolve) => {{
        const attempt = crypto.randomUUID();
        const meta = {{ connectionAttemptUuid: attempt, timestamp: new Date() }};
        const payload = {{ identityUrl: '{chart}', actualUrl: '{chart}' }};
        addEventListener('message', ({{ data, ports: [port] }}) => {{
          if (data.type !== 'WCP3Handshake' || data.meta.connectionAttemptUuid !== attempt) return;
          port.onmessage = ({{ data }}) => resolve(data.type);
          port.postMessage({{ type: 'WCP4ValidateAppIdentity', meta, payload }});
        }});
        opener.opener.postMessage({{ type: 'WCP1Hello', meta, payload }}, '*');
    }})"""
    assert await page.evaluate(claim) == "WCP5ValidateAppIdentityFailedResponse"


async def test_an_app_stands_in_a_frame_where_the_browser_opens_no_window(desk: FdcDesk) -> None:
    await desk.desktop.evaluate("void (window.kept = window.open, window.open = () => null)")
    try:
        await desk.desktop.get_by_role("button", name="Chart").last.click()
        frame = await until(lambda: framed(desk, "chart.localhost"))
        assert await outcome(frame) == "found"
        assert frame.parent_frame == desk.desktop.main_frame
        await desk.desktop.get_by_role("button", name="Close Chart").click()
        await desk.desktop.locator("iframe").wait_for(state="detached")
    finally:
        await desk.desktop.evaluate("void (window.open = window.kept)")


async def framed(desk: FdcDesk, host: str) -> Any:
    return next((each for each in desk.desktop.frames if host in each.url), None)


async def test_a_window_that_is_closed_leaves_no_instance(desk: FdcDesk) -> None:
    blotter, chart = await desk.open("Blotter"), await desk.open("Chart")
    find = "wanted.then((fdc3) => fdc3.findInstances({ appId: 'Chart' })).then((all) => all.length)"
    assert await blotter.evaluate(find) == 1
    await chart.close()

    async def none() -> bool:
        return bool(await blotter.evaluate(find) == 0)

    await until(none)
