"""The audit panel in a real Electron: a person finds a refusal, and has the log verified."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.devtools import Page
from demo.electron import ElectronSession
from tests.electron.conftest import PAGES, Starter
from tests.electron.mainprocess import decide, in_main

APP = "test.asker"
PANEL_PAGE = "/panel.html"
CONFIG = f"""
[[apps]]
id = "test.asker"
name = "Asker"
declares = [{{ permission = "messaging.read", scope = "consent.#" }}]
windows = [{{ url = "{(PAGES / "page.html").as_uri()}?asker" }}]
"""
VERDICT = "document.body.innerText.includes('fit, the end is not proven')"


@pytest.fixture(scope="module")
async def electron(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    async with electron_with(APP, config=CONFIG) as session:
        page = await session.window("?asker")
        await decide(session, APP, "messaging.read", "consent.one.#")
        refused = (
            "deskbus.publish('orders.new', 1, { confirm: true })"
            ".then(() => 'sent', (error) => error.name)"
        )
        assert await page.evaluate(refused) != "sent"
        yield session


@pytest.fixture
async def panel(electron: ElectronSession) -> AsyncIterator[Page]:
    await in_main(electron, "shell.openPanel('audit').then(() => true)")
    page = await electron.window(PANEL_PAGE)
    await page.until("document.querySelectorAll('tr.row').length >= 4")
    yield page
    await page.close()
    await electron.browser.gone(page)


@pytest.mark.requirement("3.5")
async def test_the_panel_lists_decisions_refusals_and_sessions(panel: Page) -> None:
    words = await panel.evaluate("document.body.innerText")
    for expected in ("Audit log", "permission.granted", "violation", "auth.used", "orders.new"):
        assert expected in words


@pytest.mark.requirement("3.5")
async def test_a_person_has_the_log_verified(
    electron: ElectronSession, panel: Page, tmp_path: Path
) -> None:
    await panel.evaluate(
        "[...document.querySelectorAll('button')]"
        ".find((button) => button.textContent.includes('Verify')).click()"
    )
    await panel.until(VERDICT)
    assert await electron.picture(panel, tmp_path / "audit-panel.png")
    words = await panel.evaluate("document.body.innerText")
    assert "UNANCHORED" in words
    assert "Set up a keychain" in words


async def choose(panel: Page, name: str, value: str) -> None:
    await panel.evaluate(
        f"""(() => {{
            const field = document.querySelector('select[name={name}]');
            field.value = '{value}';
            field.dispatchEvent(new Event('change', {{ bubbles: true }}));
        }})()"""
    )


@pytest.mark.requirement("3.4")
async def test_a_refused_call_is_found_by_filter_and_told_in_full(panel: Page) -> None:
    await choose(panel, "type", "violation")
    await choose(panel, "decision", "denied")
    await panel.until(
        "[...document.querySelectorAll('tr.row')].every((row) => row.innerText.includes('viol'))"
    )
    await panel.click("tr.row")
    details = await panel.until("document.querySelector('tr.details').innerText")
    for expected in ("bus.publish", "orders.new"):
        assert expected in details
    await choose(panel, "actor", "person")
    await panel.until("!document.getElementById('empty').hidden")


async def test_new_records_come_by_themselves_while_the_panel_is_live(
    electron: ElectronSession, panel: Page
) -> None:
    await panel.click("#live")
    await panel.until("document.getElementById('live').checked")
    first = "Number(document.querySelector('tr.row').dataset.row)"
    before = await panel.evaluate(first)
    await decide(electron, APP, "messaging.read", "consent.two.#")
    await panel.until(f"{first} > {before}")


async def test_an_export_lies_where_the_person_wanted_it(
    electron: ElectronSession, panel: Page, tmp_path: Path
) -> None:
    target = tmp_path / "trail.csv"
    await in_main(
        electron,
        f"""void (electron.dialog.showSaveDialog = async (window, options) => {{
            global.asked = options; return {{ filePath: {json.dumps(str(target))} }};
        }})""",
    )
    await panel.click("button[data-action=csv]")
    await panel.until("document.getElementById('notice').textContent.includes('proof')")
    assert await in_main(electron, "global.asked.defaultPath") == "audit.csv"
    assert "permission.granted" in target.read_text()
