"""A real backend with its web gateway, and a client that sends it any bytes at all."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import anyio
from websockets.asyncio.client import ClientConnection, connect

from tests.integration.shell import TestShell, start_shell

LIMIT_S = 20

APPS = ("com.example.ticker", "com.example.blotter", "com.example.frame")
TICKER, BLOTTER, FRAMED = APPS
OUTSIDE = "https://desk.example.com"

CONFIG = f"""
[web]
[[web.origins]]
origin = "{OUTSIDE}"
app = "{BLOTTER}"
"""
APP = """
[[apps]]
id = "{id}"
name = "{id}"
grants = [
    {{ permission = "messaging.read", scope = "#" }},
    {{ permission = "messaging.write", scope = "#" }},
]
web = {{ {web} }}
[[apps.windows]]
url = "{folder}/index.html"
"""
CONFIG += APP.format(id=TICKER, folder="ticker", web="")
CONFIG += APP.format(id=BLOTTER, folder="blotter", web='scripts = ["https://cdn.example.com"]')
CONFIG += APP.format(id=FRAMED, folder="frame", web=f'framed_by = ["{TICKER}"]')

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <title>{name}</title>
    <script src="page.js" defer></script>
    <script src="https://cdn.example.com/lib.js"></script>
    <script>document.title = 'inline ran';</script>
  </head>
  <body onload="document.title = 'handler ran'"><p id="text">{name}</p></body>
</html>
"""


class Reply(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Paired(NamedTuple):
    """The credentials of a browser that was let in."""

    cookie: str
    proof: str
    csrf: str

    def headers(self, origin: str) -> dict[str, str]:
        return {
            "cookie": self.cookie,
            "origin": origin,
            "sec-fetch-site": "same-origin",
            "content-type": "application/json",
            "x-deskbus-csrf": self.csrf,
            "x-deskbus-proof": self.proof,
        }


class WebDesk:
    def __init__(self, shell: TestShell, folder: Path, urls: Mapping[str, str]) -> None:
        self.shell = shell
        self.folder = folder
        self.urls = urls
        self.origins = {app: "/".join(url.split("/")[:3]) for app, url in urls.items()}
        self.port = int(self.origins[TICKER].rpartition(":")[2])

    def authority(self, app: str) -> str:
        return self.origins[app].removeprefix("http://")

    async def raw(self, data: bytes, *, address: str = "127.0.0.1") -> bytes:
        """Sends bytes; returns all that comes until the gateway closes, or answers and waits."""
        received = b""
        async with await anyio.connect_tcp(address, self.port) as stream:
            # A gateway that has heard enough does not wait for the rest.
            with suppress(anyio.BrokenResourceError):
                await stream.send(data)
            with anyio.move_on_after(LIMIT_S):
                while not _is_whole(received):
                    try:
                        received += await stream.receive()
                    except (anyio.EndOfStream, anyio.BrokenResourceError):
                        break
        return received

    async def ask(
        self,
        method: str,
        target: str,
        *,
        app: str = TICKER,
        host: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Reply:
        """One request as it is written here, and its reply."""
        given = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        lines = [f"{method} {target} HTTP/1.1", f"host: {host or self.authority(app)}"]
        lines += [f"{name}: {value}" for name, value in given]
        if body or method == "POST":
            lines.append(f"content-length: {len(body)}")
        return reply_of(await self.raw("\r\n".join((*lines, "", "")).encode() + body))

    async def pair(self, app: str = TICKER) -> Paired:
        """The steps of `deskbus open` and a browser."""
        made = await self.shell.client.call("web.pair", {"app": app}, result=dict)
        form = {"content-type": "application/x-www-form-urlencoded", "origin": "null"}
        body = f"code={made['code']}".encode()
        welcome = await self.ask("POST", "/pair", app=app, headers=form, body=body)
        assert welcome.status == 200, welcome
        cookie = welcome.headers["set-cookie"].partition(";")[0]
        proof = meta(welcome.body, "proof")
        page = await self.page(app, {"cookie": cookie, "sec-fetch-site": "same-origin"})
        return Paired(cookie, proof, meta(page.body, "csrf"))

    async def page(self, app: str = TICKER, headers: Mapping[str, str] = {}) -> Reply:
        target = "/" + "/".join(self.urls[app].split("/")[3:])
        return await self.ask("GET", target, app=app, headers=headers)

    async def ticket(self, paired: Paired, app: str = TICKER, body: bytes = b"{}") -> Reply:
        headers = paired.headers(self.origins[app])
        return await self.ask("POST", "/ticket", app=app, headers=headers, body=body)

    @asynccontextmanager
    async def socket(
        self,
        app: str = TICKER,
        origin: str | None = None,
        path: str = "/bus",
        compression: str | None = None,
    ) -> AsyncIterator[ClientConnection]:
        """A stock WebSocket client; raises what `websockets` does where it is refused."""
        async with connect(
            f"ws://{self.authority(app)}{path}",
            origin=self.origins[app] if origin is None else origin,  # type: ignore[arg-type]
            host="127.0.0.1",
            port=self.port,
            proxy=None,
            compression=compression,
        ) as opened:
            yield opened


def meta(page: bytes, name: str) -> str:
    """The content of the gateway's own `<meta>` in a page; empty where there is none."""
    _, _, rest = page.decode().partition(f'<meta name="deskbus-{name}" content="')
    return rest.partition('"')[0]


def reply_of(data: bytes) -> Reply:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    status = int(first.split(" ")[1]) if first.startswith("HTTP/1.1 ") else 0
    return Reply(status, {name.lower(): value for name, _, value in pairs}, body)


def _is_whole(data: bytes) -> bool:
    reply = reply_of(data) if b"\r\n\r\n" in data else None
    if reply is None or reply.status == 0:
        return False
    return len(reply.body) >= int(reply.headers.get("content-length", "0"))


async def call(socket: ClientConnection, method: str, params: object, request_id: int = 1) -> Any:
    """One call over a WebSocket; what the backend tells meanwhile is passed over."""
    frame = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    await socket.send(json.dumps(frame))
    with anyio.fail_after(LIMIT_S):
        while True:
            for line in str(await socket.recv()).split("\n"):
                if line and json.loads(line).get("id") == request_id and "method" not in line[:40]:
                    return json.loads(line)


def opening(ticket: str, app: str = TICKER) -> dict[str, str]:
    return {"ticket": ticket, "app": app, "protocolVersion": "1.0"}


@asynccontextmanager
async def web_desk(
    folder: Path, *, program: str = "deskbus", more: str = ""
) -> AsyncIterator[WebDesk]:
    """`more` is configuration that a test needs beside that of all."""
    for name in ("ticker", "blotter", "frame"):
        place = folder / "data" / name
        place.mkdir(parents=True)
        (place / "index.html").write_text(PAGE.format(name=name))
        (place / "page.js").write_text("document.body.dataset.ran = 'yes';\n")
        (place / "facts.json").write_text("{}")
    async with start_shell(folder / "data", config=CONFIG + more, program=program) as shell:
        known = await shell.client.call("web.sites", {}, result=dict)
        assert known["problem"] == ""
        urls = {site["app"]: site["url"] for site in known["sites"]}
        yield WebDesk(shell, folder / "data", urls)
