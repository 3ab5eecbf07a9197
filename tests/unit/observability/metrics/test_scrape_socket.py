"""The scrape socket, where rendering fails and where scrapers leave."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

from deskbus.observability.metrics import exposition
from deskbus.observability.metrics.metric import gauge
from deskbus.observability.metrics.scrape_socket import AT_ONCE, ScrapeSocket

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: deskbus\r\n\r\n"


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Path]:
    metrics = exposition.MetricsExposition([lambda: [gauge("deskbus_links", "Open links.", 3)]])
    path = tmp_path / "metrics.sock"
    async with ScrapeSocket(path, metrics).running():
        yield path


async def answer(path: Path, request: bytes = REQUEST) -> bytes:
    got = b""
    with anyio.fail_after(20):
        async with await anyio.connect_unix(path) as stream:
            await stream.send(request)
            async for piece in stream:
                got += piece
    return got


async def test_metrics_that_cannot_be_rendered_are_an_error_to_the_scraper_and_the_log(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("no descriptors are left")

    with monkeypatch.context() as patched, structlog.testing.capture_logs() as lines:
        patched.setattr(exposition, "_family", fail)
        assert (await answer(socket)).startswith(b"HTTP/1.1 500 ")
    assert [line["event"] for line in lines] == ["metrics.not_rendered"]
    assert b"deskbus_links 3.0" in await answer(socket)


async def test_scrapers_that_leave_in_the_middle_take_no_place_of_others(socket: Path) -> None:
    for _ in range(3 * AT_ONCE):
        async with await anyio.connect_unix(socket) as stream:
            await stream.send(b"GET /metr")
    with anyio.fail_after(20):
        while b"deskbus_links 3.0" not in await answer(socket):
            """Their ends are still to be read."""
