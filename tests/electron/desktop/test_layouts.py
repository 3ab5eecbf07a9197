"""The desk of a real Electron after a restart: windows in their places, on their channels."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from demo.devtools import Page, PageGoneError
from demo.electron import ElectronSession
from tests.electron.conftest import PAGES, Starter
from tests.electron.mainprocess import in_main, shell_call

pytestmark = pytest.mark.requirement("F")

PAGE = (PAGES / "page.html").as_uri()
RED = "fdc3.channel.1"
CONTACT = {"type": "fdc3.contact", "name": "Jane"}

CONFIG = (
    """
[session]
keep = true

[fdc3]
consent = "allow"
"""
    + "".join(
        f"""
[[apps]]
id = "test.{name}"
name = "{name}"
grants = [
    {{ permission = "fdc3.context.read", scope = "#" }},
    {{ permission = "fdc3.context.write", scope = "#" }},
]
[[apps.windows]]
url = "{PAGE}?{name}"
"""
        for name in ("blotter", "chart", "other")
    )
    + """
[[apps]]
id = "test.broken"
name = "Broken"
process = { kind = "executable", entry = "/bin/false", ready = "session", ready_within_s = 5 }
restart = { when = "never" }
"""
)

BOUNDS = {
    "blotter": {"x": 40, "y": 60, "width": 500, "height": 400},
    "chart": {"x": 620, "y": 90, "width": 560, "height": 450},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("layouts")


async def place_of(session: ElectronSession, name: str) -> dict[str, int]:
    found = await in_main(
        session,
        f"shell.windows().find(({{ app }}) => app === 'test.{name}').browserWindow.getBounds()",
    )
    return dict(found)


async def put(session: ElectronSession, name: str, bounds: dict[str, int]) -> None:
    await in_main(
        session,
        f"shell.windows().find(({{ app }}) => app === 'test.{name}')"
        f".browserWindow.setBounds({json.dumps(bounds)})",
    )


async def quit_desk(session: ElectronSession) -> None:
    """As a person quits: every window is closed on the way."""
    with suppress(PageGoneError, ConnectionError):
        await in_main(session, "(setTimeout(() => electron.app.quit()), 1)")
    await session.process.wait()


@asynccontextmanager
async def arranged(electron_with: Starter, data: Path) -> AsyncIterator[ElectronSession]:
    async with electron_with("test.blotter", "test.chart", data=data, config=CONFIG) as session:
        blotter, chart = [await session.window(name) for name in ("?blotter", "?chart")]
        for name, bounds in BOUNDS.items():
            await put(session, name, bounds)
        await joined(blotter)
        await blotter.evaluate(f"fdc3.broadcast({json.dumps(CONTACT)})")
        await chart.until("window.fdc3")
        yield session


async def joined(page: Page) -> None:
    await page.until("window.fdc3")
    await page.evaluate(f"fdc3.joinUserChannel('{RED}')")


async def test_windows_channels_and_contexts_come_back_after_a_person_has_quit(
    electron_with: Starter, data: Path
) -> None:
    async with arranged(electron_with, data) as session:
        saved = await shell_call(session, "session.save", name="trading")
        assert (saved["layout"]["windows"], saved["layout"]["contexts"]) == (2, 1)
        await quit_desk(session)

    async with electron_with("test.other", data=data, config=CONFIG) as session:
        await session.window("?other")
        back = await shell_call(session, "session.restore")
        assert back == {"apps": 2, "windows": 2, "failed": []}
        for name, bounds in BOUNDS.items():
            assert await place_of(session, name) == bounds
        blotter, chart = [await session.window(name) for name in ("?blotter", "?chart")]
        await blotter.until("window.fdc3")
        assert (await blotter.evaluate("fdc3.getCurrentChannel()"))["id"] == RED
        assert await chart.evaluate("fdc3.getCurrentChannel()") is None
        await blotter.evaluate(
            "window.heard = [], fdc3.addContextListener(null, ({ name }) => heard.push(name))"
            ".then(() => 1)"
        )
        assert await blotter.until("heard.length && heard[0]") == "Jane"
        # On its channel it also hears what is new.
        await joined(chart)
        await chart.evaluate("fdc3.broadcast({ type: 'fdc3.contact', name: 'Joe' })")
        await blotter.until("heard.includes('Joe')")


async def test_a_window_whose_display_is_gone_comes_back_where_it_can_be_seen(
    electron_with: Starter, data: Path
) -> None:
    file = data / "layouts/layout-trading.json"
    layout = json.loads(file.read_bytes())
    for app in layout["apps"]:
        app["windows"][0]["bounds"] |= {"x": 9000, "y": -4000}
    layout["apps"].append({"app": "test.broken"})
    layout["apps"].append({"app": "test.gone", "windows": [{"client": "window"}]})
    (data / "layouts/layout-away.json").write_text(json.dumps(layout))
    async with electron_with("test.other", "test.chart", data=data, config=CONFIG) as session:
        for name in ("?other", "?chart"):
            await session.window(name)
        back = await shell_call(session, "session.restore", name="away")
        assert back["windows"] == 2
        assert [each["app"] for each in back["failed"]] == ["test.gone"]
        display = await in_main(session, "electron.screen.getPrimaryDisplay().workArea")
        for name in BOUNDS:
            place = await place_of(session, name)
            assert display["x"] <= place["x"] <= display["x"] + display["width"] - place["width"]
            assert display["y"] <= place["y"] <= display["y"] + display["height"] - place["height"]
