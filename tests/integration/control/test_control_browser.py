"""`deskbus control-centre --browser`, `--act`, `--revoke`, and a browser that is let in by them."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from stat import S_IMODE
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit

import pytest
from anyio import to_thread

from deskbus_protocol.errors import PERMISSION_DENIED
from tests.integration.commands.test_cli import headless, run

FORM = "application/x-www-form-urlencoded"


class Answer(NamedTuple):
    status: int
    cookie: str
    body: str

    def meta(self, name: str) -> str:
        return self.body.partition(f'name="deskbus-{name}" content="')[2].partition('"')[0]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def data_dir(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Path]:
    """Of a backend that allows every app everything, which is no browser's way to act."""
    folder = tmp_path_factory.mktemp("browser")
    config = folder / "deskbus.toml"
    config.write_text("[web]\n")
    async with headless(folder / "data", "--config", str(config)):
        yield folder / "data"


async def ask(url: str, body: str | None, content_type: str = FORM, **headers: str) -> Answer:
    def send() -> Answer:
        place = urlsplit(url)
        assert place.port is not None
        given = {"host": place.netloc, "content-type": content_type}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        method = "GET" if body is None else "POST"
        with closing(HTTPConnection("127.0.0.1", place.port, timeout=20)) as connection:
            connection.request(method, place.path, body, given)
            response = connection.getresponse()
            cookie = response.getheader("set-cookie", "").partition(";")[0]
            return Answer(response.status, cookie, response.read().decode())

    return await to_thread.run_sync(send)


class Browser(NamedTuple):
    origin: str
    headers: dict[str, str]

    @property
    def own(self) -> dict[str, str]:
        return {**self.headers, "content_type": "application/json"}

    async def call(self, method: str, **params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return json.loads((await ask(f"{self.origin}/rpc", body, **self.own)).body)


async def let_in(data_dir: Path) -> tuple[Browser, str]:
    code, out, _ = await run("control-centre", "bus", "--browser", "--print", data_dir=data_dir)
    assert code == 0
    file = Path(unquote(urlsplit(json.loads(out)["page"]).path))
    assert S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    [url] = re.findall(r'action="([^"]+)"', text)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', text))
    assert fields["code"] not in url
    assert fields["code"] not in out
    welcome = await ask(url, urlencode(fields), origin="null")
    assert welcome.status == 200
    assert welcome.meta("home") == "/en/control.html#bus"
    origin = url.removesuffix("/pair")
    own = {"cookie": welcome.cookie, "sec_fetch_site": "same-origin", "origin": origin}
    page = await ask(f"{origin}/en/control.html", None, **own)
    headers = {
        **own,
        "x_deskbus_csrf": page.meta("csrf"),
        "x_deskbus_proof": welcome.meta("proof"),
    }
    return Browser(origin, headers), page.meta("client").split("-")[1]


@pytest.mark.requirement("5.4")
async def test_a_browser_is_let_in_to_look_then_to_act_and_is_revoked(data_dir: Path) -> None:
    browser, name = await let_in(data_dir)
    assert (await browser.call("control.overview"))["result"]["acts"] is False
    wish = {"topic": "tests.browser", "payload": 1}
    for method in ("control.publish", "bus.publish"):
        refused = await browser.call(method, **wish)
        assert refused["error"]["code"] == PERMISSION_DENIED.code, method

    code, out, _ = await run("control-centre", "--act", name, data_dir=data_dir)
    assert code == 0
    shown = json.loads(out)
    assert shown["browser"] == name
    body = json.dumps({"code": shown["code"]})
    assert (await ask(f"{browser.origin}/step-up", body, **browser.own)).status == 200
    assert (await browser.call("control.publish", **wish))["result"]["seq"] == 1
    refused = await browser.call("bus.publish", **wish)
    assert refused["error"]["code"] == PERMISSION_DENIED.code

    code, out, _ = await run("control-centre", "--revoke", data_dir=data_dir)
    assert (code, json.loads(out)) == (0, {"browsers": 1})
    gone = await ask(f"{browser.origin}/rpc", "{}", **browser.own)
    assert gone.status == 401


async def test_a_code_to_act_is_made_for_a_browser_that_is_there(data_dir: Path) -> None:
    code, _, words = await run("control-centre", "--act", "0a1b2c3d", data_dir=data_dir)
    assert code != 0
    assert "deskbus control-centre --browser" in words


async def test_without_a_gateway_it_says_how_there_is_one(tmp_path: Path) -> None:
    async with headless(tmp_path):
        code, _, words = await run("control-centre", "--browser", "--print", data_dir=tmp_path)
    assert code != 0
    assert "[web]" in words
