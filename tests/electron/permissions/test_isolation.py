"""Pages in a real Electron, and the ways out that they do not have."""

import anyio
import pytest

from demo.electron import ElectronSession
from deskbus_protocol.web import SHELL_REPORT_URL
from tests.electron.mainprocess import shell_call

RECORDED_WITHIN_S = 10

FLOOD = 1000
"""Reports that a page posts at once."""

REQUESTS = {
    "geolocation": """new Promise((done) => navigator.geolocation.getCurrentPosition(
        () => done('granted'),
        ({ code, PERMISSION_DENIED }) => done(code === PERMISSION_DENIED ? 'denied' : code),
    ))""",
    "notifications": "Notification.requestPermission()",
    "clipboard-read": """navigator.clipboard.readText().then(
        () => 'granted',
        ({ name }) => (name === 'NotAllowedError' ? 'denied' : name),
    )""",
    "media": """navigator.mediaDevices.getUserMedia({ audio: true }).then(
        () => 'granted',
        ({ name }) => (name === 'NotAllowedError' ? 'denied' : name),
    )""",
}


async def test_a_page_has_no_node_integration(electron: ElectronSession) -> None:
    page = await electron.window("?receiver")
    names = ["require", "process", "module", "Buffer", "global", "ipcRenderer", "electron"]
    for name in names:
        assert await page.evaluate(f"typeof {name}") == "undefined"


async def test_a_page_gets_the_api_and_nothing_else_of_the_bridge(
    electron: ElectronSession,
) -> None:
    page = await electron.window("?receiver")
    await page.until("window.deskbus")
    members = await page.evaluate("Object.keys(deskbus).sort()")
    assert members == [
        "InterApplicationBus",
        "app",
        "client",
        "files",
        "onGap",
        "onRefused",
        "onState",
        "permissions",
        "publish",
        "ready",
        "request",
        "respond",
        "secrets",
        "send",
        "setBatching",
        "state",
        "stats",
        "subscribe",
    ]
    assert await page.evaluate("Object.keys(deskbusBridge).sort()") == [
        "app",
        "client",
        "fdc3",
        "listen",
        "send",
    ]


@pytest.mark.requirement("5.3")
async def test_a_page_from_the_disk_runs_its_files_alone_and_what_was_refused_is_recorded(
    electron: ElectronSession,
) -> None:
    page = await electron.window("inline.html")
    assert await page.until("window.sink") == "TypeError"
    assert await page.evaluate("[window.inline, window.handler]") == [None, None]
    wish = {"types": ["web.csp"], "apps": ["test.inline"], "limit": 100}
    refused = {
        "script-src-elem inline",
        "script-src-attr inline",
        "require-trusted-types-for trusted-types-sink",
    }

    with anyio.fail_after(RECORDED_WITHIN_S):
        recorded: set[str] = set()
        while recorded < refused:
            found = await shell_call(electron, "audit.query", **wish)
            told = [record["details"] for record in found["records"]]
            recorded = {f"{each['directive']} {each['blocked']}" for each in told}
    assert recorded == refused


async def test_a_page_that_floods_the_address_of_reports_with_any_bodies_harms_nobody(
    electron: ElectronSession,
) -> None:
    """Electron knows of a blob's and of a file's body, and has no bytes of them."""
    page = await electron.window("inline.html")
    posted = f"""(body) => fetch('{SHELL_REPORT_URL}', {{ method: 'POST', mode: 'no-cors', body }})
        .then(() => 'sent', () => 'cancelled')"""
    bodies = "['{}', new Blob(['{}']), new File(['{}'], 'report.json'), undefined]"
    assert await page.evaluate(f"Promise.all({bodies}.map({posted}))") == ["cancelled"] * 4

    flood = f'Array.from({{ length: {FLOOD} }}, (_, n) => `{{"n":${{n}}}}`)'
    answers = f"Promise.all({flood}.map({posted})).then((all) => [...new Set(all)])"
    assert await page.evaluate(answers) == ["cancelled"]

    with anyio.fail_after(RECORDED_WITHIN_S):
        assert "records" in await shell_call(electron, "audit.query", limit=1)


async def test_an_iframe_gets_no_api(electron: ElectronSession) -> None:
    page = await electron.window("framed.html?plain")
    found = await page.until("window.heard")
    assert found == {
        "require": "undefined",
        "process": "undefined",
        "ipcRenderer": "undefined",
        "parentBus": "SecurityError",
        "topBus": "SecurityError",
        "bus": "undefined",
    }


async def test_an_iframe_that_calls_the_raw_channel_gets_nothing(
    electron: ElectronSession,
) -> None:
    """The preload script runs in this iframe, see main.js, and the main process ignores it."""
    receiver = await electron.window("?receiver")
    await receiver.until("window.deskbus")
    await receiver.evaluate(
        """(() => {
            window.framed = [];
            return deskbus.subscribe('framed.#', ({ topic }) => framed.push(topic));
        })()"""
    )
    page = await electron.window("framed.html")
    await page.until("window.heard")
    await page.evaluate("window.heard = undefined")
    await page.evaluate("void (document.querySelector('iframe').src = 'child.html?again')")

    found = await page.until("window.heard")

    assert found["bus"] == "object", "the preload script did not run in the iframe"
    assert "answered" not in found["calls"]
    await page.evaluate("deskbus.publish('framed.from.page', 1, { confirm: true })")
    await receiver.until("framed.length")
    assert await receiver.evaluate("framed") == ["framed.from.page"]


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_request_for_a_chromium_permission_is_denied(
    electron: ElectronSession, name: str
) -> None:
    page = await electron.window("?receiver")
    assert await page.evaluate(REQUESTS[name]) == "denied"


async def test_the_check_of_a_chromium_permission_is_denied(electron: ElectronSession) -> None:
    """Electron 9 asks its check handler about media only: device names are told or not."""
    page = await electron.window("?receiver")
    devices = await page.evaluate(
        "navigator.mediaDevices.enumerateDevices().then((all) => all.map(({ label }) => label))"
    )
    assert devices
    assert set(devices) == {""}


async def test_a_page_can_not_leave_its_document(electron: ElectronSession) -> None:
    page = await electron.window("?receiver")
    await page.until("window.deskbus")
    address = await page.evaluate("window.stays = true, location.href")
    for elsewhere in ("framed.html", "https://example.org/", "page.html?sender"):
        await page.evaluate(f"void location.assign({elsewhere!r})")
        # An answer of the main process: it has dealt with the navigation before.
        await page.evaluate(
            "deskbus.permissions.query({ permission: 'messaging.read', scope: 'talk.#' })"
        )
        assert await page.evaluate("window.stays && location.href") == address
    history = await page.call("Page.getNavigationHistory")
    assert len(history["entries"]) == 1


async def test_a_page_can_not_open_a_window(electron: ElectronSession) -> None:
    page = await electron.window("?receiver")
    before = set(electron.browser.targets())
    for address in ("page.html?opened", "https://example.org/", ""):
        await page.evaluate(f"void (window.opened = window.open('{address}'))")
        await page.until("!opened || opened.closed")
    assert set(electron.browser.targets()) == before


async def test_a_reload_ends_the_pages_subscriptions(electron: ElectronSession) -> None:
    page = await electron.window("?receiver")
    sender = await electron.window("?sender")
    await page.until("window.deskbus")
    await page.evaluate("window.old = true, deskbus.subscribe('talk.reload', () => {})")
    published = "deskbus.publish('talk.reload', 1, { confirm: true })"
    assert (await sender.evaluate(published))["receivers"] == 1

    await page.call("Page.reload")
    await page.until("window.deskbus && !window.old && deskbus.state() === 'open'")

    await sender.until(f"{published}.then(({{ receivers }}) => receivers === 0)")
