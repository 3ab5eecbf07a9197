"""Windows that close and pages that reload: which client leaves, and what is kept of it."""

from collections.abc import AsyncIterator

import anyio
import pytest

from demo.devtools import Page
from demo.electron import ElectronSession
from tests.electron.conftest import PAGES, Starter
from tests.electron.mainprocess import decide, shell_call
from tests.integration.shell import LIMIT_S

APP = "test.pair"
OPEN = "window.deskbus && deskbus.state() === 'open'"
CONFIG = f"""
[[apps]]
id = "{APP}"
name = "Pair"
declares = [{{ permission = "messaging.read", scope = "news" }}]
grants = [
    {{ permission = "messaging.read", scope = "talk.#" }},
    {{ permission = "messaging.write", scope = "talk.#" }},
]
windows = [
    {{ name = "left", url = "{(PAGES / "page.html").as_uri()}?left" }},
    {{ name = "right", url = "{(PAGES / "page.html").as_uri()}?right" }},
]
"""


@pytest.fixture
async def pair(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    async with electron_with(APP, config=CONFIG) as session:
        for name in ("left", "right"):
            await subscribe(await session.window(f"?{name}"))
        yield session


async def subscribe(page: Page) -> None:
    await page.until(OPEN)
    await page.evaluate(
        """(() => {
            window.got = [];
            return deskbus.subscribe('talk.#', ({ payload }) => got.push(payload));
        })()"""
    )


async def clients(session: ElectronSession) -> dict[str, bool]:
    """Those of the app that the backend keeps anything of, and whether each is connected."""
    found = await shell_call(session, "bus.queued")
    return {each["client"]: each["online"] for each in found["queues"] if each["app"] == APP}


async def sessions_of(session: ElectronSession, client: str) -> int:
    """How many sessions a client has opened or taken up."""
    # A decision is answered once it is in the log, and what was recorded before it is there too.
    await decide(session, APP, "messaging.read", "news")
    wanted = {"types": ["auth.used", "auth.resumed"], "apps": [APP]}
    records = (await shell_call(session, "audit.query", **wanted))["records"]
    return sum(record["client"] == client for record in records)


@pytest.mark.requirement("6.3")
async def test_of_a_window_that_closes_nothing_is_kept_and_the_other_one_stays(
    pair: ElectronSession,
) -> None:
    left, right = await pair.window("?left"), await pair.window("?right")
    assert await clients(pair) == {"left": True, "right": True}

    await left.close()
    await pair.browser.gone(left)

    with anyio.fail_after(LIMIT_S):
        while len(found := await clients(pair)) > 1:
            # One that was cut off would be kept until its grace ends.
            assert all(found.values()), found
    assert found == {"right": True}
    published = "deskbus.publish('talk.a', 'after', { confirm: true })"
    assert (await right.evaluate(published))["receivers"] == 1
    assert await right.until("got.length && got") == ["after"]


@pytest.mark.requirement("6.3")
async def test_a_page_that_reloads_keeps_its_windows_session_and_hears_what_comes_from_then_on(
    pair: ElectronSession,
) -> None:
    left, right = await pair.window("?left"), await pair.window("?right")
    opened = await sessions_of(pair, "left")
    assert opened == 1

    await left.evaluate("window.old = true")
    await left.call("Page.reload")
    await left.until(f"!window.old && {OPEN}")
    await subscribe(left)

    assert await sessions_of(pair, "left") == opened
    assert await clients(pair) == {"left": True, "right": True}
    published = "deskbus.publish('talk.a', 'again', { confirm: true })"
    assert (await right.evaluate(published))["receivers"] == 2
    assert await left.until("got.length && got") == ["again"]
