"""Electron killed leaves nothing behind; a backend killed comes back with everything."""

from functools import partial

import pytest

from demo.devtools import Page
from demo.electron import ALLOW, REMEMBER, ElectronSession
from demo.processes import Process, command_of, descendants, eventually, kill, marked, remains
from tests.electron.conftest import Starter
from tests.integration.vault.secretservice import SecretService

GONE_WITHIN_S = 2.0
START_WITHIN_S = 5.0
BACK_WITHIN_S = 20.0


def backend_of(session: ElectronSession) -> Process | None:
    for process in session.tree():
        if {"deskbus", "serve"} <= set(command_of(process)):
            return process
    return None


def runs_with(session: ElectronSession, word: str) -> bool:
    """Whether a command line in the session's tree contains `word`."""
    words = (argument for process in session.tree() for argument in command_of(process))
    return any(word in argument for argument in words)


async def listen_to_prices(page: Page) -> None:
    await page.until("window.deskbus && deskbus.state() === 'open'")
    await page.evaluate(
        """(() => {
            window.epochs = {};
            return deskbus.subscribe('prices.#', ({ epoch }) => {
                epochs[epoch] = (epochs[epoch] || 0) + 1;
            });
        })()"""
    )


@pytest.mark.serial
@pytest.mark.requirement("4.5")
async def test_when_electron_is_killed_nothing_is_left_two_seconds_later(
    electron_with: Starter,
) -> None:
    async with electron_with("test.receiver", "test.feed", "test.family") as session:
        page = await session.window("?receiver")
        await listen_to_prices(page)
        await page.until("Object.values(epochs)[0] > 10")
        for part in ("serve", "feed.py", "family.py", "signal.pause", "--type=renderer"):
            assert await eventually(partial(runs_with, session, part), START_WITHIN_S), part
        tree = session.tree()

        session.process.kill()

        assert await remains(tree, GONE_WITHIN_S) == []
        assert marked(str(session.log.parent)) == []


@pytest.mark.requirement("6.3")
async def test_when_the_backend_is_killed_it_comes_back_and_prices_flow_again(
    keychain: SecretService,
    electron_with: Starter,
) -> None:
    async with electron_with("test.receiver", "test.asker", "test.feed") as session:
        page = await session.window("?receiver")
        await listen_to_prices(page)
        await page.until("Object.values(epochs)[0] > 10")
        asker = await session.window("?asker")
        await allow(session, asker, "consent.kept", remember=True)
        await allow(session, asker, "consent.fleeting", remember=False)
        backend = backend_of(session)
        assert backend is not None
        children = descendants(backend)

        kill([backend])

        assert await eventually(lambda: backend_of(session) not in {None, backend}, BACK_WITHIN_S)
        await page.until("Object.values(epochs).length === 2", timeout_s=BACK_WITHIN_S)
        await page.until("Object.values(epochs)[1] > 10")
        assert await page.evaluate("deskbus.state()") == "open"
        assert await remains([backend, *children], GONE_WITHIN_S) == []
        assert await state(asker, "consent.kept") == "granted"
        assert await state(asker, "consent.fleeting") != "granted"


async def allow(session: ElectronSession, page: Page, topic: str, *, remember: bool) -> None:
    await page.until("window.deskbus && deskbus.state() === 'open'")
    await page.evaluate(
        "(() => { window.allowed = false;"
        f" deskbus.permissions.request({{ permission: 'messaging.read', scope: '{topic}' }})"
        ".then(({ state }) => { window.allowed = state === 'granted'; }); })()"
    )
    dialog = await session.dialog()
    if remember:
        await dialog.click(REMEMBER)
    await dialog.until(f"document.querySelector('{ALLOW}').disabled === false")
    await dialog.click(ALLOW)
    await session.browser.gone(dialog)
    await page.until("allowed")


async def state(page: Page, topic: str) -> str:
    wish = f"{{ permission: 'messaging.read', scope: '{topic}' }}"
    return str(
        await page.until(
            "deskbus.state() === 'open' && "
            f"deskbus.permissions.query({wish}).then(({{ state }}) => state)",
            timeout_s=BACK_WITHIN_S,
        )
    )
