"""Desktop pages before a backend without a shell, where people can't be asked."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from websockets.asyncio.client import ClientConnection

from deskbus.commands.backend.developer_session import developer_session
from deskbus.config import runtime_dir_for
from deskbus.transport.named_pipes.pipe import address
from deskbus_protocol.client import connect_with_ticket
from deskbus_protocol.client.fdc3 import Fdc3Error, desktop_agent
from deskbus_protocol.desktop import DESKTOP_APP
from tests.integration.commands.test_cli import headless
from tests.integration.shell import LIMIT_S, TestShell
from tests.web.desk import TICKER, WebDesk, call, opening

pytestmark = pytest.mark.requirement("F")

CHART = "https://chart.example.com/"
DIRECTORY = [{"appId": "chart", "name": "Chart", "type": "web", "details": {"url": CHART}}]
CONFIG = '[web]\n[fdc3]\nconsent = "ask"\ndirectories = ["appd.json"]\n'


async def refusal(socket: ClientConnection) -> str:
    while True:
        for line in str(await socket.recv()).split("\n"):
            frame = json.loads(line) if line else {}
            if frame.get("method") == "desktop.refused":
                return str(frame["params"]["words"])


@pytest.mark.requirement("3.2")
async def test_a_refusal_is_told_where_the_person_is_and_recorded(tmp_path: Path) -> None:
    (tmp_path / "appd.json").write_text(json.dumps(DIRECTORY))
    (tmp_path / "deskbus.toml").write_text(CONFIG)
    options = ("--config", str(tmp_path / "deskbus.toml"), "--consent", "ask")
    async with headless(tmp_path, *options), developer_session(tmp_path, LIMIT_S) as operator:
        known: Any = await operator.call("web.sites", {}, result=dict)
        urls = {site["app"]: site["url"] for site in known["sites"]}
        shell = cast("TestShell", SimpleNamespace(client=operator))
        web = WebDesk(shell, tmp_path, urls | {TICKER: urls[DESKTOP_APP]})
        paired = await web.pair(DESKTOP_APP)
        ticket = (await web.ticket(paired, DESKTOP_APP)).json()["ticket"]
        async with web.socket(DESKTOP_APP) as desktop:
            await call(desktop, "session.open", opening(ticket, DESKTOP_APP))
            await call(desktop, "desktop.begin", {})
            claim = {"origin": CHART[:-1], "identityUrl": CHART, "actualUrl": CHART}
            who = (await call(desktop, "desktop.admit", claim))["result"]
            instance = {"instanceId": who["instanceId"]}
            theirs = (await call(desktop, "desktop.ticket", instance))["result"]["ticket"]
            pipe = address(runtime_dir_for(tmp_path))
            with anyio.fail_after(LIMIT_S):
                async with connect_with_ticket(pipe, theirs, who["app"]) as page:
                    async with desktop_agent(page) as fdc3:
                        await fdc3.join_user_channel("fdc3.channel.1")
                        with pytest.raises(Fdc3Error, match="AccessDenied"):
                            await fdc3.broadcast({"type": "fdc3.contact", "name": "Jane"})
                words = await refusal(desktop)
        query = {"types": ["permission.denied"], "apps": [who["app"]]}
        found: Any = {"records": []}
        with anyio.fail_after(LIMIT_S):
            while not found["records"]:
                found = await operator.call("audit.query", query, result=dict)
    assert words.startswith("Chart wants to share data with other apps.")
    assert "no shell is connected" in words
    assert "fdc3%2Echannel%2E1.fdc3.contact" in str(found["records"][0])
