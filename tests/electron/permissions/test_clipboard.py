"""The clipboard in a real Electron: a person's own, and out of reach of a page's scripts."""

import pytest

from demo.devtools import Page
from demo.electron import ElectronSession
from tests.electron.mainprocess import in_main, shell_call

PASSWORD, TAKEN = "copied from elsewhere", "put there by the page"

FRAMES = {"the page": "", "a frame": "clipboard-frame.html", "an empty frame": None}
"""The document that runs the command; a frame's is a realm of its own."""

DOCUMENT = """(() => {
    const page = %s;
    const frame = document.createElement('iframe');
    if (page) frame.src = page;
    if (page !== '') document.body.append(frame);
    const loaded = page ? new Promise((done) => { frame.onload = done; }) : Promise.resolve();
    return loaded.then(() => {
        const root = page === '' ? document : frame.contentDocument;
        window.area = root.body.appendChild(root.createElement('textarea'));
        root.defaultView.focus();
        area.value = '%s';
        area.focus();
        area.select();
    });
})()"""


@pytest.fixture
async def page(electron: ElectronSession) -> Page:
    page = await electron.window("?receiver")
    await page.until("window.deskbus")
    await in_main(electron, f"electron.clipboard.writeText('{PASSWORD}')")
    await page.call("Page.bringToFront")
    # Whichever window the display gives the keys to.
    await page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    await page.until("document.hasFocus()")
    return page


WINDOW = (
    "electron.BrowserWindow.getAllWindows()"
    ".find((one) => one.webContents.getURL().endsWith('?receiver'))"
)


async def clipboard(electron: ElectronSession) -> str:
    return str(await in_main(electron, "electron.clipboard.readText()"))


async def select_in(page: Page, frame: str) -> None:
    source = FRAMES[frame]
    await page.evaluate(DOCUMENT % ("null" if source is None else repr(source), TAKEN))


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("command", ["copy", "cut", "paste"])
async def test_a_script_neither_copies_nor_pastes(
    electron: ElectronSession, page: Page, command: str, frame: str
) -> None:
    await select_in(page, frame)
    # The control: the command is one that works here.
    assert await page.evaluate("area.ownerDocument.execCommand('selectAll')")
    assert not await page.evaluate(f"area.ownerDocument.execCommand('{command}')")
    assert await page.evaluate("area.value") == TAKEN
    assert await clipboard(electron) == PASSWORD


@pytest.mark.requirement("3.2")
@pytest.mark.parametrize("way", ["read", "readText"])
async def test_a_script_does_not_read_the_clipboard(page: Page, way: str) -> None:
    outcome = f"navigator.clipboard.{way}().then(() => 'read', ({{ message }}) => message)"
    assert await page.evaluate(outcome) == "Read permission denied."


async def test_the_switch_holds_after_the_preferences_of_the_window_changed(
    electron: ElectronSession, page: Page
) -> None:
    for theme in ("dark", "light", "system"):
        await in_main(electron, f"electron.nativeTheme.themeSource = '{theme}'")
        await select_in(page, "the page")
        assert not await page.evaluate("document.execCommand('paste')")
        assert await page.evaluate("area.value") == TAKEN


async def test_a_person_copies_and_pastes(electron: ElectronSession, page: Page) -> None:
    await select_in(page, "the page")
    await in_main(electron, f"{WINDOW}.webContents.paste()")
    await page.until(f"area.value === '{PASSWORD}'")
    await page.evaluate(f"area.value = '{TAKEN}', area.select()")
    await in_main(electron, f"{WINDOW}.webContents.cut()")
    await page.until("area.value === ''")
    assert await clipboard(electron) == TAKEN


@pytest.mark.parametrize("permission", ["clipboard.read", "clipboard.write"])
async def test_what_electron_can_not_enforce_is_not_offered(
    electron: ElectronSession, page: Page, permission: str
) -> None:
    offered = (await shell_call(electron, "permissions.catalogue"))["permissions"]
    names = {entry["name"] for entry in offered}
    assert "geolocation" in names
    assert permission not in names
    asked = f"deskbus.permissions.request({{ permission: '{permission}', scope: 'all' }})"
    outcome = await page.evaluate(f"{asked}.then(() => 'asked', ({{ code }}) => code)")
    assert outcome == -32602
