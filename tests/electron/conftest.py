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

HERE = Path(__file__).resolve().parent
PAGES = HERE / "pages"

SWITCHES = ["--use-fake-device-for-media-stream"]
"""Without a camera and a microphone there is nothing to deny."""

CONFIG = f"""
[[apps]]
id = "test.sender"
name = "Sender"
grants = [
    {{ permission = "messaging.read", scope = "talk.#" }},
    {{ permission = "messaging.write", scope = "#" }},
]
[[apps.windows]]
url = "{(PAGES / "page.html").as_uri()}?sender"

[[apps]]
id = "test.receiver"
name = "Receiver"
grants = [{{ permission = "messaging.read", scope = "#" }}]
[[apps.windows]]
url = "{(PAGES / "page.html").as_uri()}?receiver"

[[apps]]
id = "test.asker"
name = "Asker"
publisher = "Northwind Desk Tools (test)"
declares = [{{ permission = "messaging.read", scope = "consent.#" }}]
[[apps.windows]]
url = "{(PAGES / "page.html").as_uri()}?asker"

[[apps]]
id = "test.framed"
name = "Framed"
grants = [
    {{ permission = "messaging.read", scope = "framed.#" }},
    {{ permission = "messaging.write", scope = "framed.#" }},
]
[[apps.windows]]
url = "{(PAGES / "framed.html").as_uri()}"

[[apps]]
id = "test.inline"
name = "With scripts in its page"
[[apps.windows]]
url = "{(PAGES / "inline.html").as_uri()}"

[[apps]]
id = "test.plain"
name = "Framed without the preload script in iframes"
grants = [{{ permission = "messaging.write", scope = "framed.#" }}]
[[apps.windows]]
url = "{(PAGES / "framed.html").as_uri()}?plain"

[[apps]]
id = "test.trader"
name = "Trader"
grants = [
    {{ permission = "messaging.read", scope = "desk.#" }},
    {{ permission = "messaging.write", scope = "desk.#" }},
    {{ permission = "app.send", scope = "test.viewer" }},
    {{ permission = "messaging.read", scope = "channel.#" }},
    {{ permission = "messaging.write", scope = "channel.#" }},
]
[[apps.windows]]
url = "{(PAGES / "page.html").as_uri()}?trader"

[[apps]]
id = "test.viewer"
name = "Viewer"
grants = [
    {{ permission = "messaging.read", scope = "desk.#" }},
    {{ permission = "messaging.write", scope = "desk.#" }},
    {{ permission = "messaging.write", scope = "channel.*.provider" }},
    {{ permission = "messaging.read", scope = "channel.*.client.*" }},
]
[[apps.windows]]
url = "{(PAGES / "page.html").as_uri()}?viewer"

[[apps]]
id = "test.keeper"
name = "Keeper"
grants = [{{ permission = "secrets", scope = "own" }}]
[[apps.windows]]
url = "{(PAGES / "page.html").as_uri()}?keeper"

[[apps]]
id = "test.curious"
name = "Curious"
grants = [{{ permission = "secrets", scope = "own" }}]
[[apps.windows]]
url = "{(PAGES / "page.html").as_uri()}?curious"

[[apps]]
id = "test.feed"
name = "Feed"
grants = [{{ permission = "messaging.write", scope = "prices.#" }}]
[apps.process]
kind = 'python'
entry = '{ROOT / "demo" / "feed.py"}'

[[apps]]
id = "test.family"
name = "Family"
[apps.process]
kind = 'python'
entry = '{PAGES / "family.py"}'
"""


class Starter(Protocol):
    """Starts an Electron of its own with these apps, of the tests' configuration or another.

    The backend's data folder is `data`, or one that is made for it.
    """

    def __call__(
        self,
        *apps: str,
        data: Path | None = None,
        config: str = CONFIG,
        env: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[ElectronSession]: ...


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


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
    ) -> AsyncIterator[ElectronSession]:
        folder = tmp_path_factory.mktemp("electron")
        config_file = folder / "deskbus.toml"
        config_file.write_text(config)
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
