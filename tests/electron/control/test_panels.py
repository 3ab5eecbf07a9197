"""The settings panel in a real Electron: looked through, searched, and clicked."""

from collections.abc import AsyncIterator

import pytest

from demo.devtools import Page
from demo.electron import ElectronSession
from tests.electron.conftest import PAGES, Starter
from tests.electron.mainprocess import decide, in_main

ASKER, SENDER = "test.asker", "test.sender"
PANEL_PAGE = "/panel.html"

CONFIG = f"""
[[apps]]
id = "test.asker"
name = "Asker"
declares = [
    {{ permission = "messaging.read", scope = "consent.#" }},
    {{ permission = "geolocation", scope = "all" }},
]
windows = [{{ url = "{(PAGES / "page.html").as_uri()}?asker" }}]

[[apps]]
id = "test.sender"
name = "Sender"
declares = [
    {{ permission = "network", scope = "https://api.example.com" }},
    {{ permission = "messaging.read", scope = "late.#" }},
]
windows = [{{ url = "{(PAGES / "page.html").as_uri()}?sender" }}]
"""

SCOPES = "[...document.querySelectorAll('tr.row')].map((row) => JSON.parse(row.dataset.row)[3])"
FOCUSED = "(document.activeElement.matches('tr.row') ? document.activeElement.dataset.row : '')"


@pytest.fixture(scope="module")
async def started(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    async with electron_with(ASKER, SENDER, config=CONFIG) as session:
        await session.window("?asker")
        yield session


@pytest.fixture
async def electron(started: ElectronSession) -> ElectronSession:
    """Each test starts from the same decisions."""
    for app in (ASKER, SENDER):
        await in_main(started, f"shell.call('permissions.revoke', {{ app: '{app}' }})")
    await decide(started, ASKER, "messaging.read", "consent.panel.#")
    await decide(started, ASKER, "messaging.read", "consent.other.#")
    await decide(started, ASKER, "geolocation", "all", allowed=False)
    await decide(started, SENDER, "network", "https://api.example.com")
    return started


@pytest.fixture
async def panel(electron: ElectronSession) -> AsyncIterator[Page]:
    await in_main(electron, "shell.openPanel('permissions').then(() => true)")
    page = await electron.window(PANEL_PAGE)
    await page.until("document.querySelectorAll('tr.row').length >= 4")
    yield page
    await page.close()
    await electron.browser.gone(page)


async def rows(panel: Page) -> list[str]:
    """The scope that each row is about."""
    return list(await panel.evaluate(SCOPES))


async def focus(panel: Page, scope: str) -> None:
    """Goes to a row with the arrow keys, as a person does."""
    await panel.press("Home", 36)
    for _ in range(12):
        if f'"{scope}"' in await panel.evaluate(FOCUSED):
            return
        await panel.press("ArrowDown", 40)
    raise AssertionError(f"no row for {scope}")


async def state(electron: ElectronSession, scope: str) -> str:
    page = await electron.window("?asker")
    wish = f"{{ permission: 'messaging.read', scope: '{scope}' }}"
    return str(await page.evaluate(f"deskbus.permissions.query({wish}).then(({{state}}) => state)"))


@pytest.mark.requirement("3.2")
async def test_the_panel_lists_all_decisions_by_app_denials_too(panel: Page) -> None:
    words = await panel.evaluate("document.body.innerText")
    for expected in ("Permissions", ASKER, "Sender", "Read messages", "Allowed", "Denied"):
        assert expected in words
    assert "The site api.example.com" in words
    assert "consent.panel.#" in await rows(panel)


@pytest.mark.requirement("3.2")
async def test_a_click_on_revoke_takes_the_permission_from_the_app_at_once(
    electron: ElectronSession, panel: Page
) -> None:
    assert await state(electron, "consent.panel.x") == "granted"
    selector = "tr[data-row*='consent.panel'] button.danger"
    await panel.click(selector)
    await panel.until(f'!document.querySelector("{selector}")')
    assert await state(electron, "consent.panel.x") == "prompt"
    assert await state(electron, "consent.other.x") == "granted"


@pytest.mark.requirement("3.2")
async def test_the_delete_key_asks_and_then_revokes_the_row_that_has_the_focus(
    electron: ElectronSession, panel: Page
) -> None:
    await focus(panel, "consent.panel.#")
    await panel.press("Delete", 46)
    await panel.until("document.getElementById('confirm').open")
    assert "Asker" in await panel.text("#confirm-subject")
    await panel.press("Escape", 27)
    await panel.until("!document.getElementById('confirm').open")
    # The focus comes back with an event of its own, behind the end of the question.
    assert '"consent.panel.#"' in await panel.until(FOCUSED)
    assert await state(electron, "consent.panel.x") == "granted"
    await panel.press("Delete", 46)
    await panel.until("document.getElementById('confirm').open")
    await panel.click("#confirm-do")
    await panel.until("!document.querySelector(\"tr[data-row*='consent.panel']\")")
    assert await state(electron, "consent.panel.x") == "prompt"
    assert await panel.evaluate("document.activeElement.matches('tr[data-row]')")


@pytest.mark.requirement("3.2")
async def test_a_row_that_is_drawn_anew_behind_the_question_has_the_focus_after_it(
    electron: ElectronSession, panel: Page
) -> None:
    await focus(panel, "consent.panel.#")
    await panel.evaluate("(window.asked = document.activeElement, 1)")
    await panel.press("Delete", 46)
    await panel.until("document.getElementById('confirm').open")
    await decide(electron, ASKER, "messaging.read", "consent.panel.#", allowed=False)
    await panel.until("!asked.isConnected")
    await panel.press("Escape", 27)
    await panel.until("!document.getElementById('confirm').open")
    assert '"consent.panel.#"' in await panel.until(FOCUSED)


async def test_all_of_an_app_is_revoked_only_after_a_question(
    electron: ElectronSession, panel: Page
) -> None:
    await panel.click(f"tr.group[data-row='{ASKER}'] button.danger")
    await panel.until("document.getElementById('confirm').open")
    assert await panel.evaluate("document.activeElement.id") == "confirm-cancel"
    await panel.press("Escape", 27)
    await panel.until("!document.getElementById('confirm').open")
    assert await state(electron, "consent.panel.x") == "granted"

    await panel.click(f"tr.group[data-row='{ASKER}'] button.danger")
    await panel.until("document.getElementById('confirm').open")
    await panel.click("#confirm-do")
    await panel.until(f"!document.querySelector(\"tr[data-row='{ASKER}']\")")
    assert await state(electron, "consent.panel.x") == "prompt"
    assert await rows(panel) == ["https://api.example.com"]


@pytest.mark.parametrize("control", ["select[name=state]", "#filters select:last-of-type", "table"])
async def test_a_slash_searches_from_every_control_that_takes_no_text(
    panel: Page, control: str
) -> None:
    await panel.evaluate(f"(document.querySelector('{control}').focus(), 1)")
    await panel.press("/", 191)
    assert await panel.evaluate("document.activeElement.id") == "search"


async def test_a_small_window_shows_rows_and_folds_its_filters(
    electron: ElectronSession, panel: Page
) -> None:
    window = (
        "electron.BrowserWindow.getAllWindows()"
        f".find((one) => one.webContents.getURL().includes('{PANEL_PAGE}'))"
    )
    await in_main(electron, f"void {window}.setSize(...{window}.getMinimumSize())")
    await panel.until("innerWidth < 860")
    whole = """(() => {
        const { top, bottom } = document.getElementById('rows').getBoundingClientRect();
        return [...document.querySelectorAll('#rows tbody tr')].filter((row) => {
            const box = row.getBoundingClientRect();
            return box.top >= top && box.bottom <= bottom;
        }).length;
    })()"""
    assert await panel.evaluate(whole) >= 4
    assert await panel.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert not await panel.evaluate("document.querySelector('#filters').offsetHeight")
    await panel.click("#more")
    assert await panel.evaluate("document.querySelector('select[name=state]').offsetHeight > 0")


async def test_a_slash_searches_and_escape_empties_the_search(panel: Page) -> None:
    await panel.press("/", 191)
    assert await panel.evaluate("document.activeElement.id") == "search"
    await panel.type("network")
    await panel.until("document.querySelectorAll('tr.row').length === 1")
    assert await rows(panel) == ["https://api.example.com"]
    await panel.press("Escape", 27)
    await panel.until("document.querySelectorAll('tr.row').length === 4")
    await panel.press("Escape", 27)
    assert await panel.evaluate("document.activeElement.matches('tr[data-row]')")


async def test_a_search_that_finds_nothing_says_so(panel: Page) -> None:
    await panel.click("#search")
    await panel.type("there is no such permission")
    await panel.until("!document.getElementById('empty').hidden")
    assert await panel.text("#empty-title") == "Nothing fits"


async def test_enter_opens_a_row_and_escape_closes_it(panel: Page) -> None:
    await focus(panel, "consent.panel.#")
    await panel.press("Enter", 13)
    assert "messaging.read" in await panel.until("document.querySelector('tr.details').textContent")
    assert await panel.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    await panel.press("Escape", 27)
    await panel.until("!document.querySelector('tr.details')")


async def test_a_decision_made_elsewhere_appears_by_itself_and_the_focus_stays(
    electron: ElectronSession, panel: Page
) -> None:
    await focus(panel, "consent.panel.#")
    await decide(electron, SENDER, "messaging.read", "late.#")
    await panel.until("document.querySelectorAll('tr.row').length === 5")
    assert '"consent.panel.#"' in await panel.evaluate(FOCUSED)


async def test_a_filter_leaves_denials_which_can_be_forgotten(
    electron: ElectronSession, panel: Page
) -> None:
    await panel.evaluate(
        """(() => {
            const field = document.querySelector('select[name=state]');
            field.value = 'denied';
            field.dispatchEvent(new Event('change', { bubbles: true }));
        })()"""
    )
    await panel.until("document.querySelectorAll('tr.row').length === 1")
    await panel.click("tr.row button")
    await panel.until("document.querySelectorAll('tr.row').length === 0")
    listed = await in_main(electron, "shell.call('permissions.list', {})")
    assert [one for one in listed["records"] if not one["allowed"]] == []


async def test_the_panel_is_told_to_a_screen_reader_as_a_grid_with_names(panel: Page) -> None:
    tree = await panel.call("Accessibility.getFullAXTree")
    named = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in tree["nodes"]
        if not node["ignored"]
    }
    assert ("grid", "Permissions") in named
    assert ("button", "Revoke all") in named
    assert ("searchbox", "Search") in named
    assert ("columnheader", "Last used") in named


async def test_a_panels_page_has_a_bridge_of_its_own_and_nothing_else(
    electron: ElectronSession, panel: Page
) -> None:
    for name in ("require", "process", "deskbus", "ipcRenderer"):
        assert await panel.evaluate(f"typeof {name}") == "undefined"
    members = await panel.evaluate("Object.keys(panel).sort()")
    assert members == ["act", "close", "onConnected", "onDraw", "query", "ready"]
    # An action that is on no button comes to nothing.
    outcome = await panel.evaluate(
        "panel.act({ revision: 1, action: 'grant', row: 'x' }).then(({ ok }) => ok)"
    )
    assert outcome is False
    # An app's own page has no panel, and can't open one.
    page = await electron.window("?asker")
    assert await page.evaluate("typeof panel") == "undefined"


async def test_opening_the_panel_again_does_not_make_a_second_window(
    electron: ElectronSession, panel: Page
) -> None:
    await in_main(electron, "shell.openPanel('permissions').then(() => true)")
    panels = [target for target in electron.browser.targets() if PANEL_PAGE in target.url]
    assert len(panels) == 1


async def test_a_panel_that_does_not_exist_is_an_error(electron: ElectronSession) -> None:
    words = await in_main(
        electron, "shell.openPanel('nonsense').then(() => '', (error) => error.message)"
    )
    assert "permissions" in words
