"""Files on the network, or beside the app's folder, are loaded where granted, else never."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from demo.devtools import Page
from demo.electron import ElectronSession
from demo.processes import eventually
from tests.electron.conftest import Starter
from tests.electron.mainprocess import decide, in_main
from tests.electron.permissions.site import Site, site

APP, OTHER, HOSTED = "test.guarded", "test.other", "test.hosted"

# The page's policy is no part of this: it lets scripts of these sites run.
PAGE = "<!doctype html><meta charset='utf-8'><title>guarded</title><p>A page</p>"

CONFIG = """
[[apps]]
id = "test.guarded"
name = "Guarded"
declares = [{{ permission = "network", scope = "*" }}]
web = {{ scripts = ["{refused}", "{granted}"], trusted_types = ["ways"] }}
[[apps.windows]]
url = "{folder}/index.html?guarded"

[[apps]]
id = "test.other"
name = "Other"
declares = [{{ permission = "network", scope = "*" }}]
[[apps.windows]]
url = "{folder}/index.html?other"

[[apps]]
id = "test.hosted"
name = "Hosted"
[[apps.windows]]
url = "{origin}/page.html?hosted"
"""

SETTLED = """new Promise((done) => {{
    const it = {it};
    it.onload = it.onopen = () => done(true);
    it.onerror = () => done(false);
    setTimeout(done, 1500, false);
}})"""


TRUSTED = """void (window.ways =
    trustedTypes.createPolicy('ways', { createScriptURL: (url) => url }))"""


def element(tag: str, **properties: str) -> str:
    made = f"Object.assign(document.createElement('{tag}'), {properties!r})"
    return SETTLED.format(it=f"document.body.appendChild({made})")


def ways(http: str, ws: str) -> dict[str, str]:
    """Every way to a site that a page has, as an expression that tells whether it got there."""
    return {
        "fetch": f"fetch('{http}/fetch').then(() => true, () => false)",
        "blind fetch": f"fetch('{http}/blind', {{mode: 'no-cors'}}).then(() => true, () => false)",
        "request": SETTLED.format(
            it=f"((r) => (r.open('GET', '{http}/xhr'), r.send(), r))(new XMLHttpRequest())"
        ),
        "script": SETTLED.format(
            it=f"document.body.appendChild(Object.assign(document.createElement('script'),"
            f" {{ src: ways.createScriptURL('{http}/script.js') }}))"
        ),
        "style": element("link", rel="stylesheet", href=f"{http}/style.css"),
        "socket": SETTLED.format(it=f"new WebSocket('{ws}/socket')"),
        "events": SETTLED.format(it=f"new EventSource('{http}/events.sse')"),
    }


# These don't tell the page what came of them.
BLIND = {
    "image": "void (new Image().src = '{http}/image.png')",
    "frame": """void (document.body.appendChild(
        document.createElement('iframe')).src='{http}/f.html')""",
    "beacon": "void navigator.sendBeacon('{http}/beacon', 'secret')",
    "prefetch": """void document.head.appendChild(Object.assign(
        document.createElement('link'), {{ rel: 'prefetch', href: '{http}/pre' }}))""",
    "preconnect": """void document.head.appendChild(
        Object.assign(document.createElement('link'), {{ rel: 'preconnect', href: '{http}' }}))""",
    "worker": """void new Worker(ways.createScriptURL(URL.createObjectURL(
        new Blob(["fetch('{http}/worker'); importScripts('{http}/import.js')"]))))""",
    "font": """void document.fonts.add(new FontFace('leak', 'url({http}/font)')),
        void new FontFace('leak', 'url({http}/font)').load().catch(() => 0)""",
    "form": """void (() => {{
        const form = document.body.appendChild(document.createElement('form'));
        form.action = '{http}/form'; form.submit();
    }})()""",
    "navigation": "void location.assign('{http}/navigation')",
    "window": "void open('{http}/window')",
    "media": "void (document.body.appendChild(new Audio()).src = '{http}/sound')",
}  # fmt: skip


class Desk(NamedTuple):
    electron: ElectronSession
    page: Page
    refused: Site
    granted: Site
    home: Site
    folder: Path


@pytest.fixture(scope="module")
async def desk(
    electron_with: Starter, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "index.html").write_text(PAGE)
    (folder / "own.css").write_text("body { --own: yes; }")
    async with AsyncExitStack() as stack:
        refused, granted, home = [await stack.enter_async_context(site()) for _ in range(3)]
        config = CONFIG.format(
            folder=folder.as_uri(),
            origin=home.origin,
            refused=refused.origin,
            granted=granted.origin,
        )
        electron = await stack.enter_async_context(electron_with(APP, OTHER, HOSTED, config=config))
        page = await electron.window("?guarded")
        await page.until("window.deskbus && deskbus.state() === 'open'")
        await page.evaluate(TRUSTED)
        for origin in (granted.origin, granted.socket_origin):
            await decide(electron, APP, "network", origin)
        yield Desk(electron, page, refused, granted, home, folder)


async def reaches(page: Page, site: Site) -> None:
    """A request of the page arrives; so would have whatever it asked for before."""
    await page.until(f"fetch('{site.origin}/marker').then(() => true)")


@pytest.mark.parametrize("way", ways("", ""))
async def test_a_site_is_reached_only_where_it_is_granted(desk: Desk, way: str) -> None:
    page = desk.page
    assert await page.until(ways(desk.granted.origin, desk.granted.socket_origin)[way])
    before = len(desk.refused.asked)
    assert not await page.evaluate(ways(desk.refused.origin, desk.refused.socket_origin)[way])
    assert len(desk.refused.asked) == before


@pytest.mark.parametrize("way", BLIND)
async def test_no_way_round_leads_to_a_site_that_is_not_granted(desk: Desk, way: str) -> None:
    await desk.page.evaluate(BLIND[way].format(http=desk.refused.origin))
    await reaches(desk.page, desk.granted)
    assert desk.refused.asked == []
    assert await desk.page.evaluate("location.href") == (desk.folder / "index.html").as_uri() + (
        "?guarded"
    )


@pytest.mark.parametrize("way", ["image", "frame", "beacon", "worker", "font"])
async def test_the_same_ways_lead_to_a_site_that_is_granted(desk: Desk, way: str) -> None:
    before = len(desk.granted.asked)
    await desk.page.evaluate(BLIND[way].format(http=desk.granted.origin))
    assert await eventually(lambda: len(desk.granted.asked) > before, 5)


async def test_a_relay_of_webrtc_is_no_way_out_for_an_app_without_a_site(desk: Desk) -> None:
    """TURN over TCP passes by the request filter, and its user name can carry anything."""
    offer = """new Promise((done) => {{
        const username = 'secret', credential = 'secret';
        const urls = 'turn:{relay}?transport=tcp';
        const peer = new RTCPeerConnection({{ iceServers: [{{ urls, username, credential }}] }});
        peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && done();
        peer.createDataChannel('out');
        peer.createOffer().then((offer) => peer.setLocalDescription(offer));
        setTimeout(done, 3000);
    }})"""
    other = await desk.electron.window("?other")
    await other.until("window.deskbus && deskbus.state() === 'open'")
    await other.evaluate(offer.format(relay=desk.refused.authority))
    assert desk.refused.asked == []
    # It does try: where the app has a site, it gets out.
    before = len(desk.granted.asked)
    await desk.page.evaluate(offer.format(relay=desk.granted.authority))
    assert len(desk.granted.asked) > before


async def test_a_granted_site_can_not_lead_on_to_another(desk: Desk) -> None:
    address = f"{desk.granted.origin}/to?{desk.refused.origin}/led"
    assert not await desk.page.evaluate(f"fetch('{address}').then(() => true, () => false)")
    assert desk.refused.asked == []


async def test_a_grant_is_for_one_app_and_one_scheme(desk: Desk) -> None:
    other = await desk.electron.window("?other")
    before = len(desk.granted.asked)
    got = await other.evaluate(f"fetch('{desk.granted.origin}/x').then(() => true, () => false)")
    assert (got, len(desk.granted.asked)) == (False, before)

    await decide(desk.electron, OTHER, "network", desk.granted.origin)
    await reaches(other, desk.granted)
    socket = ways("", desk.granted.socket_origin)["socket"]
    assert not await other.evaluate(socket)


async def test_what_is_revoked_is_out_of_reach_at_once(desk: Desk) -> None:
    await decide(desk.electron, APP, "network", desk.home.origin)
    await reaches(desk.page, desk.home)
    await in_main(
        desk.electron,
        f"shell.call('permissions.revoke', {{ app: '{APP}', permission: 'network',"
        f" scope: '{desk.home.origin}' }})",
    )
    before = len(desk.home.asked)
    address = f"'{desk.home.origin}/after'"
    assert not await desk.page.evaluate(f"fetch({address}).then(() => true, () => false)")
    assert len(desk.home.asked) == before


async def test_a_hosted_app_reaches_its_own_site_and_no_other(desk: Desk) -> None:
    page = await desk.electron.window("?hosted")
    await page.until("window.deskbus")
    assert await page.evaluate("fetch('/own').then(() => true, () => false)")
    assert await page.evaluate(ways("", desk.home.socket_origin)["socket"])
    before = len(desk.granted.asked)
    assert not await page.evaluate(ways(desk.granted.origin, "")["blind fetch"])
    assert len(desk.granted.asked) == before
    # A page from the network has no business on the disk.
    style = element("link", rel="stylesheet", href=(desk.folder / "own.css").as_uri())
    assert not await page.evaluate(style)


async def test_an_app_loads_files_of_its_own_folder_and_no_others(
    desk: Desk, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.css"
    outside.write_text("body { --stolen: yes; }")
    link = desk.folder / "link.css"
    if not link.is_symlink():
        link.symlink_to(outside)
    own = element("link", rel="stylesheet", href="own.css")
    assert await desk.page.evaluate(own)
    for address in (outside.as_uri(), link.as_uri(), "file:///etc/hostname"):
        assert not await desk.page.evaluate(element("link", rel="stylesheet", href=address))
    stolen = "getComputedStyle(document.body).getPropertyValue('--stolen')"
    assert await desk.page.evaluate(stolen) == ""


async def test_a_download_happens_only_from_a_granted_site(desk: Desk) -> None:
    await in_main(
        desk.electron,
        """electron.BrowserWindow.getAllWindows().forEach((window) => {
            global.downloads = [];
            window.webContents.session.on('will-download', (event, item) => {
                global.downloads.push([item.getURL(), event.defaultPrevented]);
                event.preventDefault();
            });
        }) || 1""",
    )
    click = """void (() => {{
        const link = document.body.appendChild(document.createElement('a'));
        link.href = '{address}'; link.download = 'file.bin'; link.click();
    }})()"""
    wanted = f"{desk.granted.origin}/file.bin"
    await desk.page.evaluate(click.format(address=f"{desk.refused.origin}/file.bin"))
    await desk.page.evaluate(click.format(address="data:text/plain,x"))
    await desk.page.evaluate(click.format(address=wanted))

    async def downloads() -> list[list[object]]:
        found = await in_main(desk.electron, "global.downloads")
        return list(found)

    for _ in range(100):
        if [wanted, False] in await downloads():
            break
    assert [at for at, prevented in await downloads() if not prevented] == [wanted]
    assert desk.refused.asked == []


async def test_no_two_apps_share_a_renderer(desk: Desk) -> None:
    pids = await in_main(
        desk.electron,
        "electron.BrowserWindow.getAllWindows().map((window) =>"
        " [window.webContents.getURL(), window.webContents.getOSProcessId()])",
    )
    assert len(pids) >= 3
    assert len({pid for _, pid in pids}) == len(pids)
