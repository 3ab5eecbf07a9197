"""One desk for each driver, which all of its tests share: Electron takes two seconds to start."""

from collections.abc import AsyncIterator

import pytest

from demo.electron import ElectronError, find_electron
from tests.conftest import absent
from tests.contract.behaviour.browser import browser_desk
from tests.contract.behaviour.desk import READER, Desk, program_desk
from tests.contract.behaviour.page import WINDOW, page_desk

CONFIG = """
[persistence]
topics = ["orders.#"]

[heartbeat]
interval_s = 0.7
deadline_s = 1.5

"""
APP = """
[[apps]]
id = "{id}"
name = "{id}"
grants = [
    {{ permission = "messaging.read", scope = "#" }},
    {{ permission = "messaging.write", scope = "#" }},
]
"""
CONFIG += APP.format(id="desk.feed") + APP.format(id=READER)
ON_THE_WEB = """
[[apps.windows]]
url = "reader.html"

[web]
"""

DRIVERS = ("python", "node", "websocket", "page", "browser")


@pytest.fixture(scope="module", params=DRIVERS)
async def desk(
    request: pytest.FixtureRequest, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "browser":
        async with browser_desk(folder, CONFIG + ON_THE_WEB) as started:
            yield started
        return
    if request.param != "page":
        config = CONFIG + ON_THE_WEB if request.param == "websocket" else CONFIG
        async with program_desk(request.param, folder, config) as started:
            yield started
        return
    try:
        find_electron()
    except ElectronError as error:
        absent(str(error))
    async with page_desk(folder, CONFIG + WINDOW) as started:
        yield started
