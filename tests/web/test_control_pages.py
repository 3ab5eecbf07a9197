"""The control centre's pages in a real Chromium, as `control-centre --browser` opens them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from playwright.async_api import BrowserContext, Page

from deskbus_protocol.control import CONTROL_APP
from tests.web.chromium import browser, open_app
from tests.web.desk import BLOTTER, TICKER, WebDesk, opening, web_desk
from tests.web.hostile import hostile_pages

pytestmark = pytest.mark.slow

LIMIT_S = 20
AXE = Path(__file__).parents[2] / "electron-bridge/node_modules/axe-core/axe.min.js"
PICTURES = Path(__file__).parents[2] / "build/web"
CONTROL_PAGE = "/en/control.html*"

CONFIG = """
[persistence]
topics = ["orders.#"]

[tracing]
enabled = true
ratio = 1.0

[fdc3]

[[apps]]
id = "{crashing}"
name = "Crashing"

[apps.process]
kind = "python"
entry = "{entry}"

[apps.limits]
memory_mb = 256
cpu_percent = 150
"""
CRASHING = "com.example.crashing"
CONFIG = CONFIG.format(crashing=CRASHING, entry=Path(__file__).with_name("crashing.py"))

PAGES = {
    "overview": "document.querySelectorAll('.bar').length > 0",
    "bus": "!!document.querySelector(\".node[data-id='1 prices.EURUSD']\")",
    "bus/prices.EURUSD": "document.querySelectorAll('.message').length > 0",
    "apps": f"document.body.innerText.includes('{TICKER}')",
    "permissions": "!!document.querySelector('.panel-page')",
    "audit": "document.querySelectorAll('.panel-row').length > 0",
    "traces": "document.querySelectorAll('.grid-row').length > 0",
    "storage": "document.body.innerText.includes('Segments')",
    "vault": "document.querySelectorAll('.block').length === 3",
    "federation": "document.querySelectorAll('.block').length > 0",
    "fdc3": "document.querySelectorAll('.grid-row').length > 0",
    "web": f"document.body.innerText.includes('{TICKER}')",
}
"""Each page, and what is so once it shows what the backend knows."""

SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    window.shifts.push(entry.sources.map(({ node }) => node && (node.id || node.className)));
  }
}).observe({ type: 'layout-shift', buffered: true });
"""
"""From the first moment on: what the first data push aside counts, too."""


DRAWN = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
MANY = 20_000
"""Topics; a table takes as many as a backend keeps, which is 100,000, but that takes its time."""

MAX_ANSWER = 65_536
ROWS_DRAWN = 60

NEWS_MS = 2200
"""Each page looks at the backend anew within that time."""

STEAL = """async ([origin, home]) => {
  const tried = (attempt) => attempt.then(() => 'yes', () => 'no');
  const headers = { 'content-type': 'text/plain' };
  const wish = { method: 'POST', mode: 'no-cors', credentials: 'include', headers, body: '{}' };
  const socket = new Promise((yes, no) => {
    try {
      const made = new WebSocket(`${origin.replace('http', 'ws')}/bus`);
      made.onopen = yes;
      made.onerror = no;
    } catch (error) {
      no(error);
    }
  });
  await fetch(`${origin}/ticket`, wish).catch(() => undefined);
  return {
    page: await tried(fetch(home, { credentials: 'include' })),
    ticket: await tried(fetch(`${origin}/ticket`, { ...wish, mode: 'cors' })),
    socket: await tried(socket),
  };
}"""
"""The ways in which a page may try to have another's: they leave an error, or nothing to read."""


class Centre(NamedTuple):
    desk: WebDesk
    context: BrowserContext
    page: Page
    browser: str
    faults: list[str]

    async def until(self, expression: str) -> Any:
        """The value of an expression, once it is one; Playwright's own way needs `eval`."""
        return await until(self.page, expression)

    async def go(self, page: str) -> None:
        """Goes there, and waits for its data."""
        await self.page.evaluate(f"void (location.hash = '{page}')")
        await self.until(PAGES[page])


async def until(page: Page, expression: str) -> Any:
    with anyio.fail_after(LIMIT_S):
        while not (value := await page.evaluate(expression)):
            await anyio.sleep(0.02)
    return value


@pytest.fixture(scope="module")
async def desk(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WebDesk]:
    """With traffic that goes on: the ticker writes prices and orders, and the blotter reads."""
    async with (
        web_desk(tmp_path_factory.mktemp("web"), more=CONFIG) as started,
        started.shell.app(TICKER) as ticker,
        started.shell.app(BLOTTER) as blotter,
        anyio.create_task_group() as tasks,
    ):
        for pattern in ("prices.#", "orders.#"):
            await blotter.call("bus.subscribe", {"pattern": pattern}, result=dict)

        async def feed() -> None:
            while True:
                for topic in ("prices.EURUSD", "orders.new"):
                    message = {"topic": topic, "payload": {"bid": 1.0842}}
                    await ticker.call("bus.publish", message, result=dict)
                await anyio.sleep(0.2)

        tasks.start_soon(feed)
        yield started
        tasks.cancel_scope.cancel()


@pytest.fixture(scope="module")
async def centre(desk: WebDesk, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Centre]:
    async with browser(tmp_path_factory.mktemp("profile")) as context:
        context.set_default_timeout(LIMIT_S * 1000)
        await context.add_init_script(SHIFTS)
        page = await open_app(desk, context, CONTROL_APP, CONTROL_PAGE)
        faults: list[str] = []
        page.on("console", lambda said: faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        client = "document.querySelector('meta[name=deskbus-client]').content"
        name = str(await page.evaluate(client)).split("-")[1]
        yield Centre(desk, context, page, name, faults)


async def test_every_page_shows_what_the_backend_knows(centre: Centre) -> None:
    for page in PAGES:
        await centre.go(page)
    assert centre.faults == []


async def serious(centre: Centre, page: str, *rules: str) -> list[str]:
    """The findings of axe about a page that are serious or critical."""
    wanted = f", runOnly: {list(rules)}" if rules else ""
    result = await centre.page.evaluate(
        f"axe.run(document, {{ resultTypes: ['violations']{wanted} }})"
    )
    return [
        f"{page}: {one['id']} {node['target']}"
        for one in result["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


async def test_each_page_stays_still_from_its_load_on_and_axe_finds_nothing_serious(
    centre: Centre,
) -> None:
    axe = AXE.read_text("utf-8")
    found: list[str] = []
    moved: dict[str, object] = {}
    for page, holds in PAGES.items():
        await centre.go(page)
        await centre.page.reload()
        await centre.until(holds)
        await centre.page.evaluate(axe)
        await centre.page.evaluate(DRAWN)
        asked = await centre.page.evaluate("performance.now()")
        found += await serious(centre, page)
        await centre.until(f"performance.now() - {asked} > {NEWS_MS}")
        moved[page] = await centre.page.evaluate("window.shifts")
    assert found == []
    assert moved == {page: [] for page in PAGES}


async def test_each_page_is_readable_in_the_dark(centre: Centre) -> None:
    await centre.page.emulate_media(color_scheme="dark")
    await centre.page.evaluate(AXE.read_text("utf-8"))
    PICTURES.mkdir(parents=True, exist_ok=True)
    found: list[str] = []
    for page in PAGES:
        await centre.go(page)
        await centre.page.evaluate(DRAWN)
        found += await serious(centre, page, "color-contrast")
        name = page.replace("/", "-").lower()
        await centre.page.screenshot(path=PICTURES / f"control-{name}.png")
    await centre.page.emulate_media(color_scheme="light")
    assert found == []


async def test_a_page_acts_only_once_the_code_made_for_it_was_entered(centre: Centre) -> None:
    page = centre.page
    await page.evaluate("void (location.hash = 'bus/#letters')")
    await centre.until("document.getElementById('title').textContent === 'Bus'")
    assert await centre.until("document.getElementById('operator').textContent") == "Looks only"
    refused = {"topic": "tests.page", "payload": 1}
    assert "permission" in await called(centre, "control.publish", refused)

    await enter(centre, "0000-0000-0000-0000")
    words = await centre.until("document.querySelector('#notice.bad')?.textContent")
    assert f"deskbus control-centre --act {centre.browser}" in words
    made = await centre.desk.shell.client.call("web.pairToAct", {}, result=dict)
    assert made["browser"] == centre.browser
    await enter(centre, made["code"].lower())
    await centre.until("!!document.querySelector('#operator.acts')")

    await page.evaluate("void (location.hash = 'bus/#publish')")
    await page.fill(".publisher input", "tests.page")
    await page.click(".publisher button[type=submit]")
    await centre.until("!!document.querySelector('#notice.good')")
    shown = {"topic": "tests.page", "limit": 1}
    told = await centre.desk.shell.client.call("control.topic", shown, result=dict)
    assert told["messages"][0]["sender"]["app"] == CONTROL_APP


async def let_act(centre: Centre) -> None:
    if not await centre.page.evaluate("!!document.querySelector('#operator.acts')"):
        made = await centre.desk.shell.client.call("web.pairToAct", {}, result=dict)
        await enter(centre, made["code"])
        await centre.until("!!document.querySelector('#operator.acts')")


@pytest.mark.requirement("1.4")
async def test_what_waits_is_told_with_its_age_and_dead_letters_are_put_right(
    centre: Centre,
) -> None:
    shell = centre.desk.shell
    await let_act(centre)
    async with shell.app(BLOTTER, "away") as away:
        await away.call("bus.subscribe", {"pattern": "away.#"}, result=dict)
    async with shell.app(TICKER, "writer") as writer:
        for ttl in ({}, {"ttl": 1}, {"ttl": 1}):
            message = {"topic": "away.news", "payload": 1, **ttl}
            await writer.call("bus.publish", message, result=dict)

    await centre.page.evaluate("void (location.hash = 'bus/#queues')")
    row = "[...document.querySelectorAll('.grid-row')].find((row) => /away/.test(row.innerText))"
    await centre.until(f"/Away[^]*1[^]* s/.test({row}?.innerText)")

    await centre.page.evaluate("void (location.hash = 'bus/#letters')")
    await centre.page.keyboard.press("Escape")
    rows = "document.querySelectorAll('.grid-row:not([hidden])').length"
    await centre.until(f"{rows} === 2 && !document.querySelector('.drawer:not([hidden])')")
    numbers = await letter_numbers(centre)
    await centre.page.click(".grid-row")
    assert "away.news" in await centre.page.inner_text(".drawer")
    await centre.page.click(".drawer-actions .danger")
    await centre.page.click("dialog[open] button[type=submit]")
    await centre.until(f"{rows} === 1")
    (left,) = await letter_numbers(centre)
    assert left in numbers

    await centre.page.click(".grid-row")
    await centre.page.click(".drawer-actions .primary")
    with anyio.fail_after(LIMIT_S):
        # Its reader is still away, so it waits again, or has expired again as another letter.
        while left in await letter_numbers(centre):
            await anyio.sleep(0.02)


async def letter_numbers(centre: Centre) -> list[int]:
    told = await centre.desk.shell.client.call("bus.deadLetters", {}, result=dict)
    return [letter["number"] for letter in told["letters"]]


async def test_an_empty_table_tells_whether_a_search_has_emptied_it(centre: Centre) -> None:
    await centre.page.evaluate("void (location.hash = 'bus/#topics')")
    await centre.until("document.querySelectorAll('.grid-row').length > 0")
    await centre.page.fill("input[type=search]", "no topic has this name")
    await centre.until(
        "document.querySelector('.grid > .none').innerText === 'Nothing fits the search.'"
    )
    await centre.page.fill("input[type=search]", "")


@pytest.mark.requirement("4.2")
async def test_an_apps_crashes_and_its_last_lines_are_beside_it(centre: Centre) -> None:
    await centre.desk.shell.client.call("apps.launch", {"app": CRASHING}, result=dict)
    await centre.page.evaluate(f"void (location.hash = 'apps/{CRASHING}')")
    await centre.until("document.querySelectorAll('.crashes li strong').length > 0")
    crash = await centre.page.inner_text(".crashes li")
    assert "exit code 3" in crash
    log = await centre.until("document.querySelector('.log').textContent")
    assert "first words\nlast words" in log
    wish = {"app": CRASHING}
    await centre.desk.shell.client.call("apps.terminate", wish, result=dict)


async def publish_on_many(desk: WebDesk) -> None:
    """A message on each topic, as a program sends them that does not wait for answers."""
    params = opening(await desk.shell.ticket(TICKER, "many"), TICKER)
    frames = [{"id": 1, "method": "session.open", "params": params}]
    frames += [
        {"method": "bus.publish", "params": {"topic": f"many.{at}", "payload": at}}
        for at in range(MANY)
    ]
    frames.append({"id": 2, "method": "session.ping"})
    lines = [json.dumps({"jsonrpc": "2.0", **frame}, separators=(",", ":")) for frame in frames]
    async with await anyio.connect_unix(desk.shell.hello.pipe) as stream:
        lead, *rest = lines
        await stream.send(f"{lead}\n".encode())
        answers = BufferedByteReceiveStream(stream)
        with anyio.fail_after(LIMIT_S):
            await answers.receive_until(b"\n", MAX_ANSWER)
            await stream.send("".join(f"{line}\n" for line in rest).encode())
            while b'"id":2' not in await answers.receive_until(b"\n", MAX_ANSWER):
                pass


@pytest.mark.requirement("7.5")
async def test_tens_of_thousands_of_topics_scroll_with_elements_for_the_rows_in_view(
    centre: Centre,
) -> None:
    await publish_on_many(centre.desk)
    await centre.page.evaluate("void (location.hash = 'bus/#topics')")
    await centre.until(
        f"Number(document.querySelector('.grid')?.getAttribute('aria-rowcount')) >= {MANY}"
    )
    rows = "document.querySelectorAll('.grid-row').length"
    assert await centre.page.evaluate(rows) < ROWS_DRAWN
    await centre.page.evaluate("void document.querySelector('.grid').focus()")
    await centre.page.keyboard.press("End")
    await centre.until(
        "[...document.querySelectorAll('.grid-row:not([hidden])')]"
        f".some((row) => Number(row.getAttribute('aria-rowindex')) >= {MANY})"
    )
    assert await centre.page.evaluate(rows) < ROWS_DRAWN


async def called(centre: Centre, method: str, params: object) -> str:
    """The category of the error of a call that the page's own session makes over HTTP."""
    return str(
        await centre.page.evaluate(
            """async ([method, params]) => {
              const meta = (name) => document.querySelector(`meta[name=deskbus-${name}]`).content;
              const headers = {
                'content-type': 'application/json',
                'x-deskbus-csrf': meta('csrf'),
                'x-deskbus-proof': localStorage.getItem('deskbus-proof'),
              };
              const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
              const answer = await (await fetch('/rpc', { method: 'POST', headers, body })).json();
              return answer.error ? answer.error.data.category : 'none';
            }""",
            [method, params],
        )
    )


async def enter(centre: Centre, code: str) -> None:
    await centre.page.click("#operator")
    await centre.page.fill("dialog[open] input", code)
    await centre.page.click("dialog[open] button[type=submit]")


async def test_a_page_that_is_loaded_anew_shows_what_it_showed(centre: Centre) -> None:
    await centre.go("bus/prices.EURUSD")
    await centre.page.reload()
    await centre.until(PAGES["bus/prices.EURUSD"])


async def test_no_other_page_gets_hold_of_it(desk: WebDesk, centre: Centre) -> None:
    """The browser has the cookie, and would send it where it is let."""
    home = f"{desk.origins[CONTROL_APP]}/en/control.html"
    frame = f"<!doctype html><title>evil</title><iframe id=f src='{home}'></iframe>"
    async with hostile_pages() as hostile:
        hostile.pages["/"] = frame
        page = await centre.context.new_page()
        for url in (hostile.url(), desk.urls[TICKER]):
            await page.goto(url)
            tried = await page.evaluate(STEAL, [desk.origins[CONTROL_APP], home])
            assert tried == {"page": "no", "ticket": "no", "socket": "no"}, url
        await page.goto(hostile.url())
        with anyio.fail_after(LIMIT_S):
            while not page.frames[-1].url.startswith("chrome-error:"):
                await anyio.sleep(0.02)
        await page.close()
    wanted = {"types": ["web.csrf", "web.origin"], "limit": 100}
    told = await desk.shell.client.call("audit.query", wanted, result=dict)
    assert CONTROL_APP in {record["app"] for record in told["records"]}


async def test_a_browser_that_is_revoked_shows_nothing_any_more(
    desk: WebDesk, centre: Centre
) -> None:
    await centre.go("audit")
    wish = {"app": CONTROL_APP}
    await desk.shell.client.call("web.forgetBrowsers", wish, result=dict)
    await centre.until("!!document.getElementById('shut-out')")
    words = await centre.page.evaluate("document.body.innerText")
    assert "deskbus control-centre --browser" in words
    assert "control.entered" not in words
    await centre.page.reload()
    await centre.until("!!document.getElementById('shut-out')")
    assert await centre.page.evaluate("document.querySelectorAll('.panel-row').length") == 0
