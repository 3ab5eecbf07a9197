"""Texts for a person in a real Electron are in the language of the shell's locale."""

from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import pytest

from demo.devtools import DevToolsError, Page, PageGoneError
from demo.electron import ALLOW, DENY, ElectronSession
from deskbus.languages.language import Language, language_for
from tests.electron.conftest import Starter
from tests.electron.mainprocess import in_main, shell_call

pytestmark = pytest.mark.slow

LOCALES = ["de-AT", "ar-XB"]

CRASHES = 4
CRASH_WORDS = """!document.getElementById('crash').hidden && [
    ...['#headline', '#close', 'dt'].map((each) => document.querySelector(each).textContent),
    getComputedStyle(document.body).direction]"""

OVERFLOWS = """[...document.querySelectorAll('main *')]
    .filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
    .filter((each) => getComputedStyle(each).overflow !== 'visible' || each.tagName === 'BUTTON')
    .map((each) => each.id || each.tagName)"""
"""Elements whose texts don't fit them."""

CUT = """[...document.querySelectorAll('button, h1, h2, h3, dt, #nav .label, .tile-title')]
    .filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0)
    .map((each) => each.textContent)"""
"""Words of the control centre that don't fit their place; names and values of others may be cut."""


@pytest.fixture(scope="module", params=LOCALES)
async def session(
    request: pytest.FixtureRequest, electron_with: Starter
) -> AsyncIterator[tuple[ElectronSession, Language]]:
    """One Electron for each locale."""
    locale: str = request.param
    async with electron_with("test.asker", env={"DESKBUS_LOCALE": locale}) as electron:
        await (await electron.window("?asker")).until("window.deskbus")
        yield electron, language_for(locale)


async def texts(page: Page, *selectors: str) -> list[str]:
    return [str(await page.text(selector)) for selector in selectors]


@pytest.mark.requirement("3.1")
async def test_the_consent_dialog_is_in_the_persons_language(
    session: tuple[ElectronSession, Language],
) -> None:
    electron, language = session
    say = language.text
    window = await electron.window("?asker")
    await window.until("window.deskbus")
    await window.evaluate(
        "(() => { deskbus.subscribe('consent.words', () => 0).catch(() => 0); })()"
    )
    dialog = await electron.dialog()
    await dialog.until(f"document.querySelector('{ALLOW}').disabled === false")
    assert await dialog.evaluate("document.documentElement.lang") == language.code
    assert await dialog.evaluate("getComputedStyle(document.body).direction") == language.direction
    assert await texts(dialog, ALLOW, DENY, "#statement", "#scope-words", "#origin") == [
        say("page.dialog.allow"),
        say("page.dialog.deny"),
        say("permission.messaging.read.statement", app="Asker"),
        say("scope.topics.one", topic="consent.words"),
        say("consent.origin.page"),
    ]
    assert await texts(dialog, "#risk-label", "#verified", "legend", "label") == [
        say("page.dialog.risk.medium"),
        say("page.dialog.not-signed"),
        say("page.dialog.remember"),
        say("holds.once"),
    ]
    first, last = [
        await dialog.evaluate(f"document.querySelector('{each}').getBoundingClientRect().left")
        for each in (DENY, ALLOW)
    ]
    assert (first < last) is (language.direction == "ltr"), "Allow stands where a line ends"
    assert await dialog.evaluate(OVERFLOWS) == []
    await dialog.click(DENY)
    await electron.browser.gone(dialog)


async def words_of_a_crash(electron: ElectronSession) -> list[str]:
    """The page goes when the app comes back by itself, later each time; so it is read at once."""
    for _ in range(CRASHES):
        window = await electron.window("?asker")
        with suppress(DevToolsError):
            with anyio.move_on_after(2):
                await window.call("Page.crash")
        page = await electron.window("/crash.html")
        with suppress(PageGoneError):
            found: list[str] = await page.until(CRASH_WORDS)
            return found
    raise AssertionError("no crash page stayed long enough to be read")


@pytest.mark.requirement("4.2")
async def test_a_crash_page_is_in_the_persons_language(
    session: tuple[ElectronSession, Language],
) -> None:
    electron, language = session
    assert await words_of_a_crash(electron) == [
        language.text("page.crash.headline.renderer", name="Asker"),
        language.text("page.crash.close"),
        language.text("page.crash.when"),
        language.direction,
    ]


@pytest.mark.requirement("7.1")
async def test_the_control_centre_is_in_the_persons_language(
    session: tuple[ElectronSession, Language],
) -> None:
    electron, language = session
    say = language.text
    await in_main(electron, "shell.openControlCentre('vault').then(() => true)")
    centre = await electron.window("/control.html")
    await centre.until("document.querySelectorAll('.block').length === 3")
    assert await texts(centre, "#title", ".brand .label", "#go .label", ".block-title") == [
        say("page.control.vault"),
        say("page.control.title"),
        say("page.control.go"),
        say("page.control.vault.state"),
    ]
    assert await centre.evaluate(CUT) == []
    await in_main(electron, "shell.openControlCentre('overview').then(() => true)")
    none = say("page.unit.per-s", value="0")
    await centre.until(f"document.querySelectorAll('.tile strong')[3].textContent === '{none}'")
    assert await centre.evaluate(CUT) == []
    off = say("page.control.health.not-configured", section="[federation]")
    told = "[...document.querySelectorAll('.component-detail')].map((each) => each.textContent)"
    assert off in await centre.evaluate(told)


async def test_an_error_is_told_in_the_persons_language_with_what_to_do(
    session: tuple[ElectronSession, Language],
) -> None:
    electron, language = session
    await in_main(electron, "shell.openControlCentre('bus/#publish').then(() => true)")
    centre = await electron.window("/control.html")
    await centre.until("!!document.querySelector('.publisher input')")
    await centre.evaluate("void document.querySelector('.publisher input').focus()")
    await centre.type("no..topic")
    await centre.click(".publisher button[type=submit]")
    words = await centre.until("document.querySelector('#notice.bad span')?.textContent")
    key = "page.control.error.invalid_topic"
    assert language.text(key) in words
    assert str(words).endswith(language.text(f"{key}.action"))
    await in_main(electron, "shell.openControlCentre('bus/#map').then(() => true)")


async def test_the_map_of_the_bus_has_its_writers_where_a_line_begins(
    session: tuple[ElectronSession, Language],
) -> None:
    electron, language = session
    await shell_call(electron, "control.publish", topic="words.map", payload=1)
    await in_main(electron, "shell.openControlCentre('bus').then(() => true)")
    centre = await electron.window("/control.html")
    await centre.until("!!document.querySelector('.node.column-1')")
    head, writer, topic = [
        await centre.evaluate(f"document.querySelector('{each}').getBoundingClientRect().left")
        for each in (".flow-head span", ".node.column-0", ".node.column-1")
    ]
    assert abs(head - writer) < abs(head - topic)
    assert (writer < topic) is (language.direction == "ltr")
    assert await centre.evaluate(CUT) == []
