"""The audit panel in a real Electron: a person finds a refusal, and has the log verified."""

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
VERDICT = "document.body.innerText.includes('records are there, as they were written')"


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
async def test_a_person_has_the_log_verified(panel: Page, tmp_path: Path) -> None:
    await panel.evaluate(
        "[...document.querySelectorAll('button')]"
        ".find((button) => button.textContent.includes('Verify')).click()"
    )
    await panel.until(VERDICT)
    await panel.screenshot(tmp_path / "audit-panel.png")
    words = await panel.evaluate("document.body.innerText")
    assert "Its end was held against" in words
