"""One gateway for all tests of a file."""

from collections.abc import AsyncIterator

import pytest

from tests.web.desk import WebDesk, web_desk


@pytest.fixture(scope="module")
async def desk(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WebDesk]:
    async with web_desk(tmp_path_factory.mktemp("web")) as started:
        yield started
