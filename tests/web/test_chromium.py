"""The gateway in a real browser: Chromium, as Debian has it."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import BrowserContext, Error, Page

from tests.web.chromium import browser, open_app
from tests.web.desk import BLOTTER, FRAMED, LIMIT_S, TICKER, WebDesk
from tests.web.hostile import HostilePages, hostile_pages

pytestmark = [pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build/web"
LIMIT_MS = LIMIT_S * 1000

HOST_PAGE = """<!doctype html><html lang="en"><head><title>host</title>
<script type="module" src="host.js"></script></head>
<body><p>A host, with another app in a frame:</p><iframe id="frame"></iframe></body></html>"""
HOST_SCRIPT = """import { hostFrame } from './sdk.js';
addEventListener('message', ({ origin, data }) => {
  (window.heard ??= []).push({ origin, data });
});
window.begin = (descriptor) => {
  const iframe = document.getElementById('frame');
  window.end = hostFrame(iframe, descriptor, deskbus, { reads: ['shown.#'], writes: ['said.*'] });
};
"""
FRAME_SCRIPT = """const text = document.getElementById('text');
const tries = async () => {
  const outcome = {};
  for (const [name, attempt] of Object.entries({
    storage: () => localStorage.length,
    cookie: () => document.cookie,
    parent: () => parent.document.title,
    socket: () => new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${location.host}/bus`);
      socket.onopen = () => resolve('open');
      socket.onerror = () => reject(new Error('refused'));
    }),
  })) {
    try {
      outcome[name] = `got ${await attempt()}`;
    } catch (error) {
      outcome[name] = error.name;
    }
  }
  return outcome;
};
deskbus.subscribe('shown.now', ({ payload }) => (text.textContent = payload));
deskbus.subscribe('secret.#', () => undefined).catch(({ code }) => {
  void tries().then((outcome) => deskbus.publish('said.this', { refused: code, ...outcome }));
});
"""


@pytest.fixture(scope="module")
async def context(
    desk: WebDesk, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[BrowserContext]:
    (desk.folder / "ticker/host.html").write_text(HOST_PAGE)
    (desk.folder / "ticker/host.js").write_text(HOST_SCRIPT)
    shutil.copy(ROOT / "electron-bridge/dist/web/index.mjs", desk.folder / "ticker/sdk.js")
    (desk.folder / "frame/page.js").write_text(FRAME_SCRIPT)
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with browser(tmp_path_factory.mktemp("profile")) as started:
        started.set_default_timeout(LIMIT_MS)
        yield started


@pytest.fixture
async def hostile() -> AsyncIterator[HostilePages]:
    async with hostile_pages() as pages:
        yield pages


async def visit(context: BrowserContext, url: str) -> Page:
    page = await context.new_page()
    await page.goto(url)
    return page


async def until(page: Page, expression: str) -> Any:
    """The value of an expression, once it is one; Playwright's own way needs `eval` in the page."""
    with anyio.fail_after(LIMIT_S):
        while not (value := await page.evaluate(expression)):
            await anyio.sleep(0.02)
    return value


async def audited(desk: WebDesk, kind: str, **details: str) -> Any:
    """The record of a violation, once it is there."""
    wanted = {"types": [kind], "limit": 200}
    with anyio.fail_after(LIMIT_S):
        while True:
            found = await desk.shell.client.call("audit.query", wanted, result=dict)
            for record in found["records"]:
                if details.items() <= record["details"].items():
                    return record
            await anyio.sleep(0.05)


async def test_two_tabs_share_one_socket_and_have_names_of_their_own(
    desk: WebDesk, context: BrowserContext
) -> None:
    one, other = await open_app(desk, context), await open_app(desk, context)
    names = set()
    for page in (one, other):
        await page.evaluate("deskbus.publish('hello', 1, { confirm: true })")
        names.add(await page.evaluate("deskbus.client"))
    assert len(names) == 2
    health = await desk.shell.client.call("health.get", {}, result=dict)
    assert health["components"]["web"]["detail"].startswith("1 WebSocket,")
    await one.evaluate("deskbus.subscribe('from.other', (m) => (window.got = m.sender.client))")
    await other.evaluate("deskbus.publish('from.other', 1)")
    assert await until(one, "window.got") in names
    await one.close()
    await other.close()


@pytest.mark.requirement("5.3")
@pytest.mark.requirement("5.5")
async def test_an_inline_script_is_blocked_and_stands_in_the_audit_log(
    desk: WebDesk, context: BrowserContext
) -> None:
    page = await open_app(desk, context)
    assert await page.title() == "ticker"
    await until(page, "document.body.dataset.ran === 'yes'")
    record = await audited(desk, "web.csp", blocked="inline")
    assert record["details"]["directive"].startswith("script-src")
    assert record["details"]["document"] == desk.urls[TICKER]
    assert record["app"] == TICKER
    await page.screenshot(path=PICTURES / "page.png")
    await page.close()


async def test_a_page_publishes_and_subscribes_with_an_app_on_the_pipe(
    desk: WebDesk, context: BrowserContext
) -> None:
    page = await open_app(desk, context)
    await page.evaluate("deskbus.subscribe('prices.#', (m) => (window.got = m.payload))")
    async with desk.shell.app(BLOTTER) as blotter:
        await blotter.call("bus.publish", {"topic": "prices.a", "payload": {"bid": 1}})
    assert await until(page, "window.got") == {"bid": 1}
    result = await page.evaluate("deskbus.publish('t', 1, { confirm: true })")
    assert result["seq"] >= 1
    await page.close()


async def test_a_page_that_was_not_let_in_has_no_ticket(desk: WebDesk, tmp_path: Path) -> None:
    async with browser(tmp_path / "profile") as stranger:
        page = await visit(stranger, desk.urls[TICKER])
        await until(page, "window.deskbus && deskbus.state() === 'closed'")
        code = await page.evaluate(
            "deskbus.publish('t', 1, { confirm: true }).catch((e) => e.code)"
        )
        assert code == -32024


@pytest.mark.requirement("5.2")
@pytest.mark.requirement("5.4")
async def test_a_foreign_origin_reaches_nothing(
    desk: WebDesk, context: BrowserContext, hostile: HostilePages
) -> None:
    page = await open_app(desk, context)
    site = desk.origins[TICKER]
    hostile.pages["/"] = "<title>evil</title>"
    foreign = await visit(context, hostile.url())
    outcome = await foreign.evaluate(
        """async (site) => {
            const attempts = {
                socket: () => new Promise((resolve, reject) => {
                    const socket = new WebSocket(`${site.replace('http', 'ws')}/bus`);
                    socket.onopen = resolve;
                    socket.onerror = reject;
                }),
                read: () => fetch(`${site}/ticker/facts.json`),
                opaque: () => fetch(`${site}/ticker/facts.json`, { mode: 'no-cors' }),
                ticket: () => fetch(`${site}/ticket`, {
                    method: 'POST', body: '{}', credentials: 'include',
                    headers: { 'content-type': 'application/json' },
                }),
                image: () => new Promise((resolve, reject) => {
                    const image = new Image();
                    image.onload = resolve;
                    image.onerror = reject;
                    image.src = `${site}/ticker/page.js`;
                }),
                script: () => new Promise((resolve, reject) => {
                    const script = document.createElement('script');
                    script.onload = resolve;
                    script.onerror = reject;
                    script.src = `${site}/ticker/page.js`;
                    document.head.append(script);
                }),
            };
            const outcome = {};
            for (const [name, attempt] of Object.entries(attempts)) {
                outcome[name] = await attempt().then(() => 'got in', () => 'refused');
            }
            return outcome;
        }""",
        site,
    )
    assert set(outcome.values()) == {"refused"}, outcome
    await audited(desk, "web.origin", origin=hostile.url().rstrip("/"), path="/bus")
    await foreign.close()
    await page.close()


@pytest.mark.requirement("5.4")
async def test_a_foreign_form_rides_no_cookie(
    desk: WebDesk, context: BrowserContext, hostile: HostilePages
) -> None:
    page = await open_app(desk, context)
    hostile.pages["/"] = (
        f'<form method="post" enctype="text/plain" action="{desk.origins[TICKER]}/rpc">'
        """<input name='{"jsonrpc":"2.0","id":1,"method":"bus.publish","params":{"x":"'"""
        """value='"}}'><button>go</button></form>"""
    )
    foreign = await visit(context, hostile.url())
    async with foreign.expect_navigation() as navigation:
        await foreign.click("button")
    response = await navigation.value
    assert response is not None
    assert response.status == 403
    assert "cookie" not in await response.request.all_headers()
    await audited(desk, "web.csrf", path="/rpc", origin=hostile.url().rstrip("/"))
    await foreign.close()
    await page.close()


async def test_a_foreign_page_frames_none_of_ours(
    desk: WebDesk, context: BrowserContext, hostile: HostilePages
) -> None:
    for app, reason in ((TICKER, 403), (FRAMED, 200)):
        hostile.pages["/"] = f'<iframe src="{desk.urls[app]}"></iframe>'
        page = await context.new_page()
        async with page.expect_response(lambda response: "index.html" in response.url) as framed:
            await page.goto(hostile.url())
        assert (await framed.value).status == reason
        # The second one is given, for its host to show; the browser keeps it from any other.
        frame = page.frames[1]
        assert not frame.url.startswith(desk.origins[app]) or reason == 403
        await page.close()


@pytest.mark.requirement("5.4")
async def test_a_name_that_was_rebound_to_loopback_reaches_nothing(
    desk: WebDesk, context: BrowserContext
) -> None:
    """`rebound.localhost` leads here without the Host being one of ours, as a rebound name does."""
    page = await context.new_page()
    response = await page.goto(f"http://rebound.localhost:{desk.port}/ticker/index.html")
    assert response is not None
    assert response.status == 421
    await audited(desk, "web.origin", origin=f"http://rebound.localhost:{desk.port}")
    await page.close()


async def test_two_apps_are_cross_site_and_share_no_cookies(
    desk: WebDesk, context: BrowserContext
) -> None:
    one = await open_app(desk, context, TICKER)
    other = await open_app(desk, context, BLOTTER)
    async with other.expect_response(lambda response: "/ticker/" in response.url) as gone:
        await other.evaluate(f"location.href = {json.dumps(desk.urls[TICKER])}")
    headers = await (await gone.value).request.all_headers()
    assert headers["sec-fetch-site"] == "cross-site"
    assert "cookie" not in headers
    await one.evaluate("document.cookie = 'shared=1; domain=localhost; path=/'")
    assert await one.evaluate("document.cookie") == ""
    await one.close()
    await other.close()


@pytest.mark.requirement("6.3")
@pytest.mark.parametrize("has_shared_worker", [True, False])
async def test_a_reload_loses_nothing_and_repeats_nothing(
    desk: WebDesk, context: BrowserContext, has_shared_worker: bool
) -> None:
    (desk.folder / "ticker/counting.js").write_text(
        "const read = () => JSON.parse(sessionStorage.getItem('got') ?? '[]');\n"
        "deskbus.subscribe('count', ({ payload }) =>"
        " sessionStorage.setItem('got', JSON.stringify([...read(), payload])));\n"
    )
    (desk.folder / "ticker/counting.html").write_text(
        '<!doctype html><title>counting</title><script src="counting.js"></script>'
    )
    first = await open_app(desk, context)
    page = await context.new_page()
    if not has_shared_worker:
        await page.add_init_script("delete window.SharedWorker")
    await page.goto(f"{desk.origins[TICKER]}/ticker/counting.html")
    name = await page.evaluate("deskbus.client")
    sent = 0
    async with desk.shell.app(BLOTTER) as blotter:

        async def send(count: int) -> None:
            nonlocal sent
            for _ in range(count):
                await blotter.call("bus.publish", {"topic": "count", "payload": sent})
                sent += 1

        await page.evaluate("deskbus.publish('settled', 1, { confirm: true })")
        await send(50)
        await until(page, "read().length === 50")
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(send, 100)
                await page.reload()
            await page.evaluate("deskbus.publish('settled', 1, { confirm: true })")
            await until(page, f"read().at(-1) === {sent - 1}")
    assert await page.evaluate("read()") == list(range(sent))
    assert await page.evaluate("deskbus.client") == name
    await page.close()
    await first.close()


@pytest.mark.requirement("5.1")
async def test_a_frame_has_an_origin_that_nobody_shares_and_the_hosts_topics_alone(
    desk: WebDesk, context: BrowserContext
) -> None:
    first = await open_app(desk, context)
    page = await visit(context, f"{desk.origins[TICKER]}/ticker/host.html")
    descriptor = await describe(desk)
    assert descriptor["sandbox"] == ["allow-scripts"]
    await page.evaluate("deskbus.subscribe('said.#', (m) => (window.said = m))")
    await page.evaluate("(descriptor) => begin(descriptor)", descriptor)
    said = await until(page, "window.said?.toJSON?.() ?? window.said")
    assert said["sender"]["app"] == TICKER
    assert said["payload"] == {
        "refused": -32010,
        "storage": "SecurityError",
        "cookie": "SecurityError",
        "parent": "SecurityError",
        "socket": "Error",
    }
    await page.evaluate("deskbus.publish('shown.now', 'Shown by the host')")
    frame = page.frame_locator("#frame")
    await frame.locator("#text", has_text="Shown by the host").wait_for()
    await page.screenshot(path=PICTURES / "frame.png")
    await page.close()
    await first.close()


@pytest.mark.requirement("5.2")
async def test_a_message_of_another_window_or_origin_opens_no_channel(
    desk: WebDesk, context: BrowserContext, hostile: HostilePages
) -> None:
    first = await open_app(desk, context)
    page = await visit(context, f"{desk.origins[TICKER]}/ticker/host.html")
    await page.evaluate("(descriptor) => begin(descriptor)", await describe(desk))
    await page.evaluate("window.welcomed = 0; addEventListener('message', () => (welcomed += 1))")
    # Its own window, which is no frame of it, says the frame's words.
    await page.evaluate("postMessage('deskbus:hello', '*')")
    await page.evaluate(
        """() => {
            const other = document.createElement('iframe');
            other.id = 'other';
            document.body.append(other);
            other.contentWindow.addEventListener('message', () => (window.welcomedOther = true));
            other.contentWindow.parent.postMessage('deskbus:hello', '*');
        }"""
    )
    await until(
        page, "(window.heard ?? []).filter((each) => each.data === 'deskbus:hello').length >= 2"
    )
    assert await page.evaluate("window.welcomedOther ?? false") is False
    await page.close()
    await first.close()


async def describe(desk: WebDesk) -> Any:
    async with desk.shell.app(TICKER, "describer") as ticker:
        params = {"app": FRAMED, "capabilities": ["scripts"]}
        return await ticker.call("web.describeFrame", params, result=dict)


async def test_a_cookie_reaches_another_port_and_is_worth_nothing_there(
    desk: WebDesk, context: BrowserContext, hostile: HostilePages
) -> None:
    """A page of the same host on another port is sent the cookie; the proof stays at home."""
    page = await open_app(desk, context)
    host = desk.authority(TICKER).partition(":")[0]
    hostile.pages["/"] = "<script>if (!location.hash) location.replace('/second#1')</script>"
    hostile.pages["/second"] = "<title>second</title>"
    try:
        await page.goto(hostile.url(host))
        await page.wait_for_url("**/second#1")
    except Error:
        pass
    stolen = [
        line.partition(": ")[2]
        for head in hostile.heard
        for line in head.split("\r\n")
        if line.lower().startswith("cookie:")
    ]
    assert stolen, "the browser does not send it, so the proof is not needed"
    thief = {"cookie": stolen[0], "sec-fetch-site": "same-origin", "origin": desk.origins[TICKER]}
    taken = await desk.page(TICKER, thief)
    csrf = taken.body.decode().partition('deskbus-csrf" content="')[2].partition('"')[0]
    assert csrf, "the token alone can be had with the cookie"
    headers = {**thief, "content-type": "application/json", "x-deskbus-csrf": csrf}
    assert (await desk.ask("POST", "/ticket", headers=headers, body=b"{}")).status == 403
    await page.close()
