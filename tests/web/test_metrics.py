"""The metrics at the gateway, for scrapers that have the token or are users who may."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from deskbus.components.connections.web_gateway import _uid_of
from deskbus.config import ConfigError
from deskbus.web.server.peer_user import is_told
from tests.conftest import absent
from tests.web import desk as desks
from tests.web.desk import TICKER, WebDesk, web_desk

TOKEN = "a-scraper-of-the-desk"
SCRAPER, STRANGER = 65_534, 1
ASK_AS = """
import json, os, socket, sys
os.setuid(int(sys.argv[1]))
found = {}
for asked in sys.argv[3:]:
    head = f"{asked} HTTP/1.1\\r\\nhost: 127.0.0.1:{sys.argv[2]}\\r\\nconnection: close\\r\\n"
    if asked == "GET /bus":
        head = head.replace("close", "upgrade") + "upgrade: websocket\\r\\n"
        head += "sec-websocket-version: 13\\r\\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n"
    got = b""
    try:
        with socket.create_connection((b"127.0.0.1", int(sys.argv[2])), 20) as peer:
            peer.sendall(head.encode() + b"\\r\\n")
            while (piece := peer.recv(65536)) and b"\\r\\n\\r\\n" not in got:
                got += piece
    except ConnectionError:
        pass
    found[asked] = got[9:12].decode("ascii")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
async def scraped(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[WebDesk]:
    folder: Path = tmp_path_factory.mktemp("web")
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patched:
            scraping = f'[metrics]\ntoken = "{TOKEN}"\n'
            if is_told():
                scraping += f'scrapers = ["{SCRAPER}"]\n'
            patched.setattr(desks, "CONFIG", scraping + desks.CONFIG)
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


async def answers(uid: int, port: int, *asked: str) -> dict[str, str]:
    """The statuses of what another user of this machine asks; empty where there is no answer."""
    with anyio.fail_after(30):
        done = await anyio.run_process([sys.executable, "-c", ASK_AS, str(uid), str(port), *asked])
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.requirement("7.1")
@pytest.mark.skipif(not is_told(), reason="this system does not tell whose a connection is")
async def test_a_user_who_may_scrape_gets_the_metrics_without_a_token_and_nothing_else(
    scraped: WebDesk,
) -> None:
    if os.getuid() != 0:
        absent("only root can be another user")
    others = (
        *("GET /health", "GET /", "GET /openapi.json", "GET /deskbus.js", "OPTIONS /rpc"),
        *("POST /rpc", "POST /pair", "POST /ticket", "GET /bus"),
    )
    may = await answers(SCRAPER, scraped.port, "GET /metrics", "POST /metrics", *others)
    assert (may.pop("GET /metrics"), may.pop("POST /metrics")) == ("200", "405")
    assert may == dict.fromkeys(others, "403")
    stranger = await answers(STRANGER, scraped.port, "GET /metrics", "GET /health")
    assert stranger == {"GET /metrics": "", "GET /health": ""}


@pytest.mark.skipif(not is_told(), reason="this system does not tell whose a connection is")
def test_who_may_scrape_is_another_user_that_is_there() -> None:
    assert _uid_of(str(SCRAPER)) == SCRAPER
    for user in ("nobody at all", str(os.getuid())):
        with pytest.raises(ConfigError, match=r"metrics\.scrapers"):
            _uid_of(user)
