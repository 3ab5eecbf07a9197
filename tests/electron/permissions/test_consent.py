"""The consent dialog in a real Electron, clicked as a person clicks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from demo.devtools import Page
from demo.electron import ALLOW, DENY, REMEMBER, ElectronSession
from tests.electron.conftest import Starter
from tests.electron.mainprocess import in_main, shell_call

PERMISSION_DENIED = -32010


@pytest.fixture(scope="module")
async def electron(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    """For tests that deny nothing, each about a topic of its own."""
    async with electron_with("test.sender", "test.asker") as session:
        yield session


@pytest.fixture
async def fresh_electron(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    """One for each test: an app that was denied three times is not asked about again."""
    async with electron_with("test.sender", "test.asker") as session:
        yield session


@asynccontextmanager
async def asked(electron: ElectronSession, topic: str) -> AsyncIterator[tuple[Page, Page]]:
    """The page that subscribed to `topic`, and the dialog that came of it, which must go away."""
    page = await electron.window("?asker")
    await subscribe(page, topic)
    dialog = await electron.dialog()
    yield page, dialog
    await electron.browser.gone(dialog)


async def subscribe(page: Page, topic: str) -> None:
    await page.until("window.deskbus")
    await page.evaluate(
        f"""(() => {{
            const of = window.asked = window.asked || {{}};
            const mine = of['{topic}'] = {{}};
            deskbus.subscribe('{topic}', ({{ payload }}) => {{ mine.got = payload; }}).then(
                (stop) => {{ mine.stop = stop; mine.outcome = 'granted'; }},
                (error) => {{ mine.outcome = error; }},
            );
        }})()"""
    )


async def outcome(page: Page, topic: str) -> Any:
    """The outcome of the subscription to `topic`: "granted", or an error."""
    return await page.until(f"asked['{topic}'].outcome")


async def click_when_enabled(dialog: Page, selector: str) -> None:
    await dialog.until(f"document.querySelector('{selector}').disabled === false")
    await dialog.click(selector)


async def state(page: Page, topic: str) -> str:
    wish = f"{{ permission: 'messaging.read', scope: '{topic}' }}"
    return str(await page.evaluate(f"deskbus.permissions.query({wish}).then(({{state}}) => state)"))


@pytest.mark.requirement("3.1")
async def test_a_dialog_says_who_asks_for_what_in_plain_words(
    fresh_electron: ElectronSession,
) -> None:
    async with asked(fresh_electron, "consent.words") as (_, dialog):
        words = await dialog.evaluate("document.body.innerText")
        assert "Asker wants to read messages" in words
        assert "Northwind Desk Tools (test)" in words
        assert "not signed" in words
        assert "test.asker" in words
        assert "a page on this computer" in words
        assert "The topic consent.words" in words
        assert "take this back" in words
        assert "Remember my choice" in words
        assert [await dialog.text(ALLOW), await dialog.text(DENY)] == ["Allow", "Deny"]
        await click_when_enabled(dialog, DENY)


@pytest.mark.requirement("3.1")
async def test_a_click_on_allow_lets_the_messages_in(electron: ElectronSession) -> None:
    async with asked(electron, "consent.allow") as (page, dialog):
        await click_when_enabled(dialog, ALLOW)

    assert await outcome(page, "consent.allow") == "granted"
    sender = await electron.window("?sender")
    await sender.evaluate("deskbus.publish('consent.allow', 'let in', { confirm: true })")
    assert await page.until("asked['consent.allow'].got") == "let in"


@pytest.mark.requirement("3.2")
async def test_deny_is_an_error_with_code_and_action_in_the_page(
    fresh_electron: ElectronSession,
) -> None:
    async with asked(fresh_electron, "consent.deny") as (page, dialog):
        await click_when_enabled(dialog, DENY)

    error = await outcome(page, "consent.deny")
    assert error["name"] == "DeskbusError"
    assert error["code"] == PERMISSION_DENIED
    assert error["category"] == "permission"
    assert "permissions.request" in error["action"]


@pytest.mark.requirement("3.2")
async def test_a_denial_that_is_not_remembered_is_asked_again(
    fresh_electron: ElectronSession,
) -> None:
    for _ in range(2):
        async with asked(fresh_electron, "consent.again") as (page, dialog):
            await click_when_enabled(dialog, DENY)
        await outcome(page, "consent.again")
    assert await state(page, "consent.again") == "prompt"


@pytest.mark.requirement("3.2")
async def test_a_remembered_denial_is_not_asked_again(fresh_electron: ElectronSession) -> None:
    async with asked(fresh_electron, "consent.never") as (page, dialog):
        await dialog.click(REMEMBER)
        await click_when_enabled(dialog, DENY)
    await outcome(page, "consent.never")

    assert await state(page, "consent.never") == "denied"
    await subscribe(page, "consent.never")
    assert (await outcome(page, "consent.never"))["code"] == PERMISSION_DENIED


@pytest.mark.requirement("3.2")
async def test_a_remembered_allowance_is_not_asked_again(electron: ElectronSession) -> None:
    async with asked(electron, "consent.always") as (page, dialog):
        await dialog.click(REMEMBER)
        await click_when_enabled(dialog, ALLOW)
    assert await outcome(page, "consent.always") == "granted"
    await page.evaluate("asked['consent.always'].stop()")

    assert await state(page, "consent.always") == "granted"
    await subscribe(page, "consent.always")
    assert await outcome(page, "consent.always") == "granted"


@pytest.mark.requirement("3.1")
async def test_a_click_on_allow_in_the_first_half_second_does_nothing(
    electron: ElectronSession,
) -> None:
    async with asked(electron, "consent.early") as (page, dialog):
        assert await dialog.evaluate(f"document.querySelector('{ALLOW}').disabled")
        await dialog.click(ALLOW)
        await dialog.evaluate("consent.answer('allow', 'session')")
        assert await dialog.evaluate(f"document.querySelector('{ALLOW}').disabled"), "too slow"
        assert await state(page, "consent.early") == "prompt"
        assert await page.evaluate("asked['consent.early'].outcome") is None

        await click_when_enabled(dialog, ALLOW)
    assert await outcome(page, "consent.early") == "granted"


@pytest.mark.requirement("3.1")
async def test_deny_has_the_focus_and_a_change_of_the_window_makes_allow_wait_anew(
    electron: ElectronSession,
) -> None:
    async with asked(electron, "consent.changed") as (page, dialog):
        assert await dialog.evaluate("document.activeElement.id") == "deny"
        ring = "getComputedStyle(document.getElementById('{}')).boxShadow"
        assert "4px" in await dialog.evaluate(ring.format("deny"))
        assert await dialog.evaluate(ring.format("allow")) == "none"
        await dialog.until(f"document.querySelector('{ALLOW}').disabled === false")
        await in_main(
            electron,
            """electron.BrowserWindow.getAllWindows()
                .find((window) => window.webContents.getURL().endsWith('/dialog.html'))
                .emit('resize')""",
        )
        await dialog.until(f"document.querySelector('{ALLOW}').disabled")
        await dialog.evaluate("consent.answer('allow', 'session')")
        assert await page.evaluate("asked['consent.changed'].outcome") is None
        await click_when_enabled(dialog, ALLOW)
    assert await outcome(page, "consent.changed") == "granted"


@pytest.mark.requirement("3.2")
async def test_allowed_once_is_for_one_subscription(electron: ElectronSession) -> None:
    for _ in range(2):
        async with asked(electron, "consent.once") as (page, dialog):
            await dialog.click("input[name=remember][value=once]")
            await click_when_enabled(dialog, ALLOW)
        assert await outcome(page, "consent.once") == "granted"
        sender = await electron.window("?sender")
        await sender.evaluate("deskbus.publish('consent.once', 'let in', { confirm: true })")
        assert await page.until("asked['consent.once'].got") == "let in"
        await page.evaluate("asked['consent.once'].stop()")
        assert await state(page, "consent.once") == "prompt"


@pytest.mark.requirement("3.2")
async def test_allowed_for_thirty_days_has_its_end_in_the_list(electron: ElectronSession) -> None:
    async with asked(electron, "consent.month") as (page, dialog):
        await dialog.click("input[name=remember][value=month]")
        await click_when_enabled(dialog, ALLOW)
    await outcome(page, "consent.month")
    found = await shell_call(electron, "permissions.list")
    (record,) = [one for one in found["records"] if one["scope"] == "consent.month"]
    assert record["until"] - record["since"] == 30 * 24 * 3600 * 1000


@pytest.mark.requirement("3.2")
async def test_a_page_hears_that_it_lost_a_subscription_and_has_to_ask_again(
    fresh_electron: ElectronSession,
) -> None:
    async with asked(fresh_electron, "consent.lost") as (page, dialog):
        await click_when_enabled(dialog, ALLOW)
    assert await outcome(page, "consent.lost") == "granted"
    await page.evaluate(
        """deskbus.permissions.onChanged(({ closed }) => { window.lost = closed; });
        deskbus.onRefused(({ topic }) => { window.refusedTopic = topic; });"""
    )
    await shell_call(fresh_electron, "permissions.revoke", app="test.asker")
    assert await page.until("window.lost") == ["consent.lost"]
    assert await page.until("window.refusedTopic") == "consent.lost"
    async with asked(fresh_electron, "consent.lost") as (_, dialog):
        await click_when_enabled(dialog, DENY)


@pytest.mark.requirement("3.2")
async def test_closing_the_dialog_denies(fresh_electron: ElectronSession) -> None:
    async with asked(fresh_electron, "consent.closed") as (page, dialog):
        await dialog.close()

    assert (await outcome(page, "consent.closed"))["code"] == PERMISSION_DENIED


@pytest.mark.requirement("3.2")
async def test_escape_denies(fresh_electron: ElectronSession) -> None:
    async with asked(fresh_electron, "consent.escape") as (page, dialog):
        await dialog.until(f"document.querySelector('{ALLOW}').disabled === false")
        await dialog.press("Escape", 27)

    assert (await outcome(page, "consent.escape"))["code"] == PERMISSION_DENIED


@pytest.mark.requirement("3.2")
async def test_what_an_app_did_not_declare_is_denied_without_a_dialog(
    electron: ElectronSession,
) -> None:
    page = await electron.window("?asker")
    await subscribe(page, "undeclared.topic")

    assert (await outcome(page, "undeclared.topic"))["code"] == PERMISSION_DENIED
    assert not [t for t in electron.browser.targets() if t.url.endswith("/dialog.html")]


@pytest.mark.requirement("3.2")
async def test_a_permission_ends_at_its_time_and_is_asked_for_again(
    electron: ElectronSession,
) -> None:
    page = await electron.window("?asker")
    await page.until("window.deskbus && deskbus.state() === 'open'")
    heard = "window.lost = new Promise((done) => { deskbus.permissions.onChanged(() => done(1)); })"
    await shell_call(
        electron,
        "permissions.grant",
        app="test.asker",
        permission="messaging.read",
        scope="consent.ends",
        expiresIn=2_000,
    )
    await subscribe(page, "consent.ends")
    assert await outcome(page, "consent.ends") == "granted"
    assert await state(page, "consent.ends") == "granted"
    await page.evaluate(f"void ({heard})")
    await page.evaluate("lost")
    assert await state(page, "consent.ends") == "prompt"


@pytest.mark.requirement("3.1")
async def test_who_was_sent_away_three_times_asks_again_only_after_a_click_in_the_panel(
    fresh_electron: ElectronSession,
) -> None:
    page = await fresh_electron.window("?asker")
    await page.until("window.deskbus && deskbus.state() === 'open'")
    wish = "{ permission: 'messaging.read', scope: 'consent.again' }"
    for _ in range(3):
        await page.evaluate(f"void (window.answer = deskbus.permissions.request({wish}))")
        dialog = await fresh_electron.dialog()
        await dialog.until(f"document.querySelector('{ALLOW}').disabled === false")
        await dialog.close()
        assert await page.evaluate("answer") == {"state": "denied"}
        await fresh_electron.browser.gone(dialog)
    query = f"deskbus.permissions.query({wish}).then(({{ state }}) => state)"
    assert await page.evaluate(query) == "denied"
    assert await page.evaluate(f"deskbus.permissions.request({wish})") == {"state": "denied"}

    await in_main(fresh_electron, "shell.openPanel('permissions').then(() => true)")
    panel = await fresh_electron.window("/panel.html")
    again = "[...document.querySelectorAll('button')].find(({ textContent }) => "
    again += "textContent.includes('Let it ask again'))"
    await panel.until(f"!!{again}")
    await panel.evaluate(f"{again}.click()")
    await panel.until(f"!{again}")
    assert await page.evaluate(query) == "prompt"
    await panel.close()
    await fresh_electron.browser.gone(panel)
