"""A real Electron with windows that tests drive; shared, for it takes two seconds to start."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from demo.electron import (
    ROOT,
    ElectronError,
    ElectronSession,
    electron_session,
    find_electron,
    has_display,
)
from demo.screen import Screen, virtual_display
from tests.conftest import absent
from tests.support.configuration import app, configuration

HERE = Path(__file__).resolve().parent
PAGES = HERE / "pages"

SWITCHES = ["--use-fake-device-for-media-stream"]
"""Without a camera and a microphone there is nothing to deny."""


def _page(query: str, file: str = "page.html") -> str:
    return f'[[apps.windows]]\nurl = "{(PAGES / file).as_uri()}{query}"\n'


def _python(entry: Path) -> str:
    return f"[apps.process]\nkind = 'python'\nentry = '{entry}'\n"


CONFIG = configuration(
    app(
        "test.sender",
        grants=["messaging.read talk.#", "messaging.write #"],
        more=_page("?sender"),
    ),
    app("test.receiver", grants=["messaging.read #"], more=_page("?receiver")),
    app(
        "test.asker",
        declares=["messaging.read consent.#"],
        more=f'publisher = "Northwind Desk Tools (test)"\n{_page("?asker")}',
    ),
    app(
        "test.framed",
        grants=["messaging.read framed.#", "messaging.write framed.#"],
        more=_page("", "framed.html"),
    ),
    app("test.inline", "With scripts in its page", more=_page("", "inline.html")),
    app(
        "test.plain",
        "Framed without the preload script in iframes",
        grants=["messaging.write framed.#"],
        more=_page("?plain", "framed.html"),
    ),
    app(
        "test.trader",
        grants=[
            *("messaging.read desk.#", "messaging.write desk.#", "app.send test.viewer"),
            *("messaging.read channel.#", "messaging.write channel.#"),
        ],
        more=_page("?trader"),
    ),
    app(
        "test.viewer",
        grants=[
            *("messaging.read desk.#", "messaging.write desk.#"),
            *("messaging.write channel.*.provider", "messaging.read channel.*.client.*"),
        ],
        more=_page("?viewer"),
    ),
    app("test.keeper", grants=["secrets own"], more=_page("?keeper")),
    app("test.curious", grants=["secrets own"], more=_page("?curious")),
    app("test.feed", grants=["messaging.write prices.#"], more=_python(ROOT / "demo" / "feed.py")),
    app("test.family", more=_python(PAGES / "family.py")),
)


class Starter(Protocol):
    """Starts an Electron of its own with these apps, of the tests' configuration or another.

    The backend's data folder is `data`, or one that is made for it; `pages` are written beside the
    configuration, by their names.
    """

    def __call__(
        self,
        *apps: str,
        data: Path | None = None,
        config: str = CONFIG,
        env: Mapping[str, str] | None = None,
        pages: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[ElectronSession]: ...


@pytest.fixture(scope="session")
async def display() -> AsyncIterator[Screen | None]:
    """A display of the tests' own where there can be one: nobody's pointer gets in the way."""
    try:
        find_electron()
    except ElectronError as error:
        absent(str(error))
    if sys.platform != "linux" and has_display():
        yield None
        return
    async with virtual_display() as name:
        yield name


@pytest.fixture(scope="session")
def electron_with(display: Screen | None, tmp_path_factory: pytest.TempPathFactory) -> Starter:
    @asynccontextmanager
    async def start(
        *apps: str,
        data: Path | None = None,
        config: str = CONFIG,
        env: Mapping[str, str] | None = None,
        pages: Mapping[str, str] | None = None,
    ) -> AsyncIterator[ElectronSession]:
        folder = tmp_path_factory.mktemp("electron")
        config_file = folder / "deskbus.toml"
        config_file.write_text(config)
        for name, text in (pages or {}).items():
            (folder / name).write_text(text)
        env = {
            **(env or {}),
            "DESKBUS_PYTHON": sys.executable,
            "DESKBUS_DATA_DIR": str(data or folder / "data"),
            "DESKBUS_CONFIG": str(config_file),
            "DESKBUS_APPS": ",".join(apps),
        }
        async with electron_session(
            HERE / "main.js", folder, switches=SWITCHES, env=env, display=display
        ) as session:
            yield session

    return start


@pytest.fixture(scope="session")
async def electron(electron_with: Starter) -> AsyncIterator[ElectronSession]:
    """One Electron for all tests that leave it as they found it."""
    async with electron_with(
        "test.sender", "test.receiver", "test.asker", "test.plain", "test.framed", "test.inline"
    ) as session:
        yield session
