"""The metrics at the gateway, for scrapers that have the token."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.web import desk as desks
from tests.web.desk import TICKER, WebDesk, web_desk

TOKEN = "a-scraper-of-the-desk"


@pytest.fixture(scope="module")
async def scraped(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WebDesk]:
    folder: Path = tmp_path_factory.mktemp("web")
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(desks, "CONFIG", f'[metrics]\ntoken = "{TOKEN}"\n{desks.CONFIG}')
            started = await stack.enter_async_context(web_desk(folder))
        yield started


@pytest.mark.requirement("7.1")
async def test_who_has_the_token_may_scrape_the_gateways_own_host_and_nobody_else(
    scraped: WebDesk,
) -> None:
    host = f"127.0.0.1:{scraped.port}"
    right = {"authorization": f"Bearer {TOKEN}"}
    reply = await scraped.ask("GET", "/metrics", host=host, headers=right)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"deskbus_messages_received_total" in reply.body
    openmetrics = {**right, "accept": "application/openmetrics-text;version=1.0.0"}
    reply = await scraped.ask("GET", "/metrics", host=host, headers=openmetrics)
    assert reply.body.endswith(b"# EOF\n")
    for headers in ({}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": f"Basic {TOKEN}"}):
        refused = await scraped.ask("GET", "/metrics", host=host, headers=headers)
        assert (refused.status, b"deskbus_messages" in refused.body) == (401, False)
    # Not where apps' pages are.
    page = await scraped.ask("GET", "/metrics", host=scraped.authority(TICKER), headers=right)
    assert page.status == 404
    again = await scraped.ask("GET", "/metrics", host=host, headers=right)
    assert b'deskbus_web_responses_total{status="401"} 3.0' in again.body


async def test_without_a_token_nobody_scrapes(desk: WebDesk) -> None:
    host = f"127.0.0.1:{desk.port}"
    reply = await desk.ask("GET", "/metrics", host=host, headers={"authorization": "Bearer "})
    assert reply.status == 404
