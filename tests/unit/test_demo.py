"""The demo's story goes on without its pictures."""

from pathlib import Path
from typing import cast

import anyio
import pytest
from anyio.abc import Process

from demo import electron
from demo.devtools import DevTools, Page
from demo.electron import ElectronSession
from demo.run import PICTURES, Story
from demo.screen import Screen


class Pictureless(ElectronSession):
    """Electron 9 that never answers for a window with nothing new to draw."""

    async def _picture_of(self, page: Page) -> bytes:
        await anyio.sleep_forever()
        raise AssertionError


def session(screen: Screen | None, folder: Path) -> Pictureless:
    nothing = cast(Process, None)
    return Pictureless(nothing, cast(DevTools, None), folder / "log", "", screen)


async def test_a_picture_that_never_comes_is_told_and_the_story_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(electron, "PICTURE_LIMIT_S", 0.01)
    monkeypatch.setattr(electron, "PAINT_S", 0)
    story = Story(session(None, tmp_path))
    with anyio.fail_after(10):
        await story.picture(cast(Page, None), "99-never")
    assert "99-never.png could not be taken; the story goes on" in capsys.readouterr().out
    assert not (PICTURES / "99-never.png").exists()


async def test_a_screen_that_can_not_be_read_is_told_and_the_story_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(electron, "PAINT_S", 0)
    story = Story(session(Screen(":99", tmp_path / "gone"), tmp_path))
    await story.desk_picture("99-gone")
    assert "99-gone.png could not be taken; the story goes on" in capsys.readouterr().out
