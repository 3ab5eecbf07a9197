"""Electron's own permissions: asked of the backend, and refused wherever it does not allow."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from demo.devtools import Page
from demo.electron import ALLOW, DENY, ElectronSession
from demo.processes import eventually
from tests.electron.conftest import Starter
from tests.electron.mainprocess import decide, in_main, shell_call
from tests.integration.shell import LIMIT_S
from tests.security.test_every_permission import PROOFS

APP, PLAIN = "test.device", "test.plain-device"

PAGE = """<!doctype html><meta charset='utf-8'><title>device</title><p>A page</p>
<iframe id="frame" srcdoc="<p>framed</p>"
 allow="geolocation; microphone; camera; midi"></iframe>"""

DECLARED = (
    *("geolocation", "notifications", "media.microphone", "media.camera", "display.capture"),
    *("midi", "midi.sysex", "external.open", "fullscreen", "pointer.lock"),
)

CONFIG = """
[[apps]]
id = "test.device"
name = "Device"
publisher = "Northwind Desk Tools (test)"
declares = [{declares}]
[[apps.windows]]
url = "{folder}/index.html?device"

[[apps]]
id = "test.plain-device"
name = "Plain"
[[apps.windows]]
url = "{folder}/index.html?plain-device"
"""

LOCATED = """new Promise((done) => navigator.geolocation.getCurrentPosition(
    () => done('allowed'),
    ({ code }) => done(code === 1 ? 'denied' : 'allowed'), { timeout: 50 }))"""
NO_MIDI = """({ name }) => (
    { SecurityError: 'denied', NotAllowedError: 'denied', InvalidStateError: 'allowed' }[name])"""
"""Where it is allowed and this machine has no MIDI, the state is invalid."""
REFUSED = "({ name }) => /^(NotAllowed|Security)Error$/.test(name) ? 'denied' : name"
ASKS = {
    "geolocation": LOCATED,
    "notifications": """Notification.requestPermission().then(
        (state) => (state === 'granted' ? 'allowed' : state))""",
    "media.microphone": f"""navigator.mediaDevices.getUserMedia({{ audio: true }}).then(
        () => 'allowed', {REFUSED})""",
    "media.camera": f"""navigator.mediaDevices.getUserMedia({{ video: true }}).then(
        () => 'allowed', {REFUSED})""",
    "display.capture": f"""navigator.mediaDevices.getUserMedia({{ video: {{
        mandatory: {{ chromeMediaSource: 'desktop' }} }} }}).then(() => 'allowed', {REFUSED})""",
    "midi": f"navigator.requestMIDIAccess().then(() => 'allowed', {NO_MIDI})",
    "midi.sysex": f"""navigator.requestMIDIAccess({{ sysex: true }}).then(
        () => 'allowed', {NO_MIDI})""",
    "pointer.lock": """new Promise((done) => {
        const held = document.pointerLockElement;
        document.onpointerlockchange = () => done(document.pointerLockElement ? 'allowed' : held);
        document.onpointerlockerror = () => done('denied');
        document.body.requestPointerLock(); })""",
}
SCREEN_AND_VOICE = f"""navigator.mediaDevices.getUserMedia({{ audio: true, video: {{
    mandatory: {{ chromeMediaSource: 'desktop' }} }} }}).then(
        (stream) => stream.getVideoTracks().length ? 'allowed' : 'sound only', {REFUSED})"""
LABELS = "navigator.mediaDevices.enumerateDevices().then((all) => all.map(({ label }) => label))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("device")


@pytest.fixture(scope="module")
def opened(folder: Path) -> Path:
    """The addresses that other programs were asked to open, a line each."""
    return folder / "opened"


@pytest.fixture(scope="module")
async def electron(
    electron_with: Starter, folder: Path, opened: Path
) -> AsyncIterator[ElectronSession]:
    (folder / "index.html").write_text(PAGE)
    programs = folder / "bin"
    programs.mkdir()
    for name in ("xdg-open", "xdg-email"):
        (programs / name).write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
        (programs / name).chmod(0o700)
    declares = ", ".join(f"{{ permission = '{name}', scope = 'all' }}" for name in DECLARED)
    config = CONFIG.format(folder=folder.as_uri(), declares=declares)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    async with electron_with(APP, PLAIN, config=config, env={"PATH": path}) as session:
        for name in ("?device", "?plain-device"):
            page = await session.window(name)
            await page.until("window.deskbus && deskbus.state() === 'open'")
        yield session


@pytest.fixture
async def device(electron: ElectronSession) -> Page:
    """The window of an app that nothing was decided for yet."""
    await in_main(electron, f"shell.call('permissions.revoke', {{ app: '{APP}' }})")
    return await in_front(electron, "?device")


async def in_front(electron: ElectronSession, ending: str) -> Page:
    page = await electron.window(ending)
    await page.call("Page.bringToFront")
    # Whichever window the display gives the keys to.
    await page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    await page.evaluate("document.exitPointerLock()")
    await page.until("document.hasFocus() && !document.pointerLockElement")
    return page


def asks_in_the_background(ask: str) -> str:
    return f"void {ask}.then((outcome) => {{ window.outcome = outcome; }}, window.outcome = null)"


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize("permission", ASKS)
async def test_what_a_person_allowed_works(
    electron: ElectronSession, device: Page, permission: str
) -> None:
    await decide(electron, APP, permission, "all")
    assert await device.evaluate(ASKS[permission], by_a_click=True) == "allowed"


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize("permission", ASKS)
async def test_what_a_person_denied_or_no_manifest_declares_is_refused(
    electron: ElectronSession, device: Page, permission: str
) -> None:
    """Though everything else is allowed."""
    for name in DECLARED:
        await decide(electron, APP, name, "all", allowed=name != permission)
    assert await device.evaluate(ASKS[permission], by_a_click=True) == "denied"
    plain = await in_front(electron, "?plain-device")
    assert await plain.evaluate(ASKS[permission], by_a_click=True) == "denied"
    assert not [t for t in electron.browser.targets() if t.url.endswith("/dialog.html")]


@pytest.mark.requirement("3.2")
async def test_a_page_fills_the_screen_only_where_that_is_granted(
    electron: ElectronSession, device: Page
) -> None:
    fill = "void document.documentElement.requestFullscreen()"
    await hear_of_fullscreen(electron)
    await decide(electron, APP, "fullscreen", "all")
    await device.evaluate(fill, by_a_click=True)
    await device.until("document.fullscreenElement !== null")
    [filled] = await in_main(electron, "global.filled.splice(0)")
    assert filled.endswith("?device")
    await device.evaluate("document.exitFullscreen()")
    await device.until("document.fullscreenElement === null")

    for permission in ("fullscreen", "geolocation"):
        await decide(electron, APP, permission, "all", allowed=False)
    for page in (device, await in_front(electron, "?plain-device")):
        await page.evaluate(fill, by_a_click=True)
        # Electron 9 tells a page nothing of a refusal; the next wish is answered after it.
        assert await page.evaluate(ASKS["geolocation"]) == "denied"
        assert await in_main(electron, "global.filled") == []
        assert await page.evaluate("document.fullscreenElement === null")


async def hear_of_fullscreen(electron: ElectronSession) -> None:
    await in_main(
        electron,
        """(global.filled = [], electron.BrowserWindow.getAllWindows().forEach((window) =>
            window.webContents.on('enter-html-full-screen', () =>
                global.filled.push(window.webContents.getURL()))))""",
    )


@pytest.mark.requirement("3.2")
async def test_what_nobody_offers_is_denied_and_in_the_audit_log(
    electron: ElectronSession, device: Page
) -> None:
    """Electron 9 calls it unknown; later ones have names for it."""
    assert not await device.evaluate("navigator.storage.persist()")
    names: set[str] = set()
    with anyio.fail_after(LIMIT_S):
        while not any(name.startswith("electron.") for name in names):
            found = await shell_call(
                electron, "audit.query", types=["permission.denied"], apps=[APP]
            )
            names = {record["details"]["permission"] for record in found["records"]}


@pytest.mark.requirement("3.1")
async def test_what_this_electron_offers_has_its_proofs(electron: ElectronSession) -> None:
    offered = (await shell_call(electron, "permissions.catalogue"))["permissions"]
    assert {entry["name"] for entry in offered} == set(PROOFS)


@pytest.mark.requirement("3.1")
@pytest.mark.parametrize(
    ("permission", "button", "outcome"),
    [("geolocation", ALLOW, "allowed"), ("notifications", DENY, "denied")],
)
async def test_a_person_is_asked_and_the_answer_counts(
    electron: ElectronSession, device: Page, permission: str, button: str, outcome: str
) -> None:
    await device.evaluate(asks_in_the_background(ASKS[permission]))
    dialog = await electron.dialog()
    assert "Device wants" in await dialog.text("body")
    await dialog.until(f"document.querySelector('{button}').disabled === false")
    await dialog.click(button)
    await electron.browser.gone(dialog)
    assert await device.until("outcome") == outcome


async def test_a_frame_in_the_page_gets_nothing_of_what_its_page_may(
    electron: ElectronSession, device: Page
) -> None:
    await decide(electron, APP, "geolocation", "all")
    framed = f"(({{ navigator }}) => {LOCATED})(document.getElementById('frame').contentWindow)"
    assert await device.evaluate(framed) == "denied"


async def test_a_microphone_is_not_a_camera_nor_a_screen(
    electron: ElectronSession, device: Page
) -> None:
    await decide(electron, APP, "media.microphone", "all")
    for permission in ("media.camera", "display.capture"):
        await decide(electron, APP, permission, "all", allowed=False)
    assert await device.evaluate(ASKS["media.microphone"]) == "allowed"
    assert await device.evaluate(ASKS["media.camera"]) == "denied"
    assert await device.evaluate(ASKS["display.capture"]) == "denied"
    assert await device.evaluate(SCREEN_AND_VOICE) != "allowed"


async def test_device_names_are_told_only_to_whom_the_check_lets(
    electron: ElectronSession, device: Page
) -> None:
    assert set(await device.evaluate(LABELS)) == {""}
    for permission in ("media.microphone", "media.camera"):
        await decide(electron, APP, permission, "all")
    await device.until(f"{LABELS}.then((all) => all.some((label) => label !== ''))")
    plain = await electron.window("?plain-device")
    assert set(await plain.evaluate(LABELS)) == {""}
    await in_main(electron, f"shell.call('permissions.revoke', {{ app: '{APP}' }})")
    await device.until(f"{LABELS}.then((all) => all.every((label) => label === ''))")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere links don't go by a program")
async def test_a_link_opens_another_program_only_where_that_is_granted(
    electron: ElectronSession, device: Page, opened: Path
) -> None:
    link = "void location.assign('mailto:{}@example.com')"
    plain = await electron.window("?plain-device")
    await plain.evaluate(link.format("refused"))
    await decide(electron, APP, "external.open", "all")
    # Under every grant this one is no link for pages.
    await device.evaluate("void location.assign('ms-msdt:/id')")
    await device.evaluate(link.format("granted"))
    assert await eventually(opened.exists, 20)
    assert opened.read_text().split() == ["mailto:granted@example.com"]
    assert await device.evaluate("location.protocol") == "file:"


async def test_without_a_backend_everything_is_denied(
    electron: ElectronSession, device: Page
) -> None:
    for permission in ("geolocation", "media.microphone"):
        await decide(electron, APP, permission, "all")
        assert await device.evaluate(ASKS[permission]) == "allowed"
    # The last test: the backend does not come back.
    await in_main(
        electron,
        """new Promise((done) => {
            shell.backend.launch = () => new Promise(() => undefined);
            shell.on('backend-down', () => done(true));
            process.kill(shell.pid, 'SIGKILL');
        })""",
    )
    for permission in ("geolocation", "media.microphone", "notifications"):
        assert await device.evaluate(ASKS[permission]) == "denied"
    assert set(await device.evaluate(LABELS)) == {""}
