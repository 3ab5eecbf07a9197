"""The examples with windows, in a real Electron: an app of its own to which deskbus was added."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.electron import ElectronSession, electron_session
from demo.screen import Screen
from tests.support.examples import set_up_examples


@pytest.fixture(scope="module")
async def existing_app(
    display: Screen | None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ElectronSession]:
    examples = set_up_examples(tmp_path_factory.mktemp("examples"))
    scratch: Path = tmp_path_factory.mktemp("electron")
    async with electron_session(examples / "electron/main.js", scratch, display=display) as session:
        yield session


async def test_the_page_shows_each_temperature_in_both_units(existing_app: ElectronSession) -> None:
    page = await existing_app.window("page/index.html")
    shown = await page.until(
        "/^[0-9.-]+ °C · [0-9.-]+ °F$/.test(document.querySelector('output').textContent)"
        " && document.querySelector('output').textContent"
    )
    celsius, fahrenheit = (float(part.split()[0]) for part in shown.split("·"))
    assert fahrenheit == pytest.approx(celsius * 9 / 5 + 32, abs=0.06)


async def test_the_window_that_was_there_before_knows_nothing_of_deskbus(
    existing_app: ElectronSession,
) -> None:
    notes = await existing_app.window("notes.html")
    assert await notes.evaluate("document.title") == "Notes"
    assert await notes.evaluate("typeof window.deskbus") == "undefined"
