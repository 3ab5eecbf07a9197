"""Attacks on the web gateway over real sockets, each with its control.

Each attack is made twice: against the backend as it is, where it has to fail, and with the one
defence switched off that is meant to stop it, where it has to succeed. Where the defence can't be
switched off, because it lies in h11 or is a thing that isn't there, the control is the honest form.
What each got stands in `build/web/attacks.md` afterwards.
"""

import asyncio
import contextlib
import gzip
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from deskbus.web.limits import (
    MAX_FORM_BYTES,
    MAX_FRAGMENTS,
    MAX_REPORT_BYTES,
    MAX_WS_FRAME_BYTES,
    RATE_BURST_S,
    TICKETS_PER_S,
)
from deskbus_protocol.control import CONTROL_APP
from tests.web.desk import (
    BLOTTER,
    OUTSIDE,
    TICKER,
    Paired,
    WebDesk,
    call,
    opening,
    reply_of,
    web_desk,
)
from tests.web.weakened import OFF, VARIABLE

pytestmark = [pytest.mark.slow, pytest.mark.requirement("5.4")]

LIMIT_S = 20
TABLE = Path(__file__).parents[2] / "build/web/attacks.md"
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
EVIL = "https://evil.example"
GUESSES = 2 * int(TICKETS_PER_S * RATE_BURST_S)
"""Twice as many as are let through in a burst."""

PING = b'{"jsonrpc":"2.0","id":1,"method":"session.ping"}'

Attempt = Callable[["Stage"], Awaitable[str]]


class Stage:
    """The backend under attack, and browsers that were let in for the ticker and for blotter."""

    def __init__(self, desk: WebDesk, control: socket.socket) -> None:
        self.desk = desk
        self._control = control.makefile("rw")
        self.paired: Paired
        self.other: Paired

    async def pair(self) -> None:
        self.other = await self.desk.pair(BLOTTER)
        self.paired = await self.desk.pair(TICKER)

    @property
    def own(self) -> str:
        return self.desk.origins[TICKER]

    @property
    def host(self) -> str:
        return self.desk.authority(TICKER)

    def headers(self, **changes: str | None) -> dict[str, str]:
        """Those of the ticker's own page, changed."""
        made: dict[str, str | None] = {**self.paired.headers(self.own)}
        made |= {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in made.items() if value is not None}

    def switch(self, word: str) -> None:
        self._control.write(f"{word}\n")
        self._control.flush()
        assert self._control.readline() == "done\n"


class Attack(NamedTuple):
    """`off` is the defence to switch off, or the honest form of the same."""

    name: str
    attempt: Attempt
    off: str | Attempt


@pytest.fixture(scope="module")
async def stage(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("attacks")
    path = str(folder / "control")
    os.environ[VARIABLE] = path
    try:
        async with web_desk(folder, program="tests.web.weakened") as desk:
            (desk.folder / "secret.key").write_text("secret")
            (desk.folder.parent / "outside.js").write_text("secret")
            (desk.folder / "ticker/link.js").symlink_to(desk.folder.parent / "outside.js")
            with socket.socket(socket.AF_UNIX) as control:
                control.connect(path)
                yield Stage(desk, control)
    finally:
        del os.environ[VARIABLE]


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    rows: list[str] = []
    yield rows
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    head = "| attack | it got | with the defence off, or honestly |\n| --- | --- | --- |\n"
    TABLE.write_text(head + "".join(f"| {row} |\n" for row in rows))


def status_of(reply: Any) -> str:
    return "in" if 200 <= reply.status < 400 else str(reply.status)


def asks(
    method: str, target: str, *, body: bytes = b"", host: str | None = None, **given: Any
) -> Attempt:
    """A request of the ticker's own page, with other headers; `None` leaves one out."""

    async def attempt(stage: Stage) -> str:
        made = {name: value(stage) if callable(value) else value for name, value in given.items()}
        wanted = host.format(port=stage.desk.port) if host else None
        return status_of(
            await stage.desk.ask(
                method, target, headers=stage.headers(**made), body=body, host=wanted
            )
        )

    return attempt


def bare(
    method: str, target: str, headers: dict[str, str], body: bytes = b"", **more: Any
) -> Attempt:
    """A request of no browser."""

    async def attempt(stage: Stage) -> str:
        return status_of(await stage.desk.ask(method, target, headers=headers, body=body, **more))

    return attempt


def raw(text: str) -> Attempt:
    """Bytes as they are; `HOST` stands for the ticker's. Two answers are two requests."""

    async def attempt(stage: Stage) -> str:
        data = text.replace("HOST", stage.host).encode("latin-1")
        with anyio.move_on_after(LIMIT_S):
            answer = await stage.desk.raw(data)
            return status_of(reply_of(answer))
        return "closed"

    return attempt


def socket_from(origin: str | None = None, app: str = TICKER, **more: str) -> Attempt:
    """A WebSocket of a page of this origin."""

    async def attempt(stage: Stage) -> str:
        headers = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
            **({"origin": origin.replace("OWN", stage.own)} if origin is not None else {}),
            **more,
        }
        reply = await stage.desk.ask("GET", "/bus", app=app, headers=headers)
        return "in" if reply.status == 101 else str(reply.status)

    return attempt


def frames(*data: bytes, wait_s: float = 1.5) -> Attempt:
    """Bytes on an open WebSocket: `in` where it is open still, else how it closed."""

    async def attempt(stage: Stage) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.desk.port)
        head = (
            f"GET /bus HTTP/1.1\r\nhost: {stage.host}\r\norigin: {stage.own}\r\n"
            "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
            "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        try:
            writer.write(head.encode())
            await reader.readuntil(b"\r\n\r\n")
            for each in data:
                writer.write(each)
                await writer.drain()
            with anyio.move_on_after(wait_s):
                while answer := await reader.read(65_536):
                    if answer[0] == 0x88:
                        return f"closed {int.from_bytes(answer[2:4], 'big')}"
                return "closed"
            return "in"
        except ConnectionError:
            return "closed"
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    return attempt


def masked(opcode: Opcode, payload: bytes, *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin=fin).serialize(mask=True)


async def two_sockets(stage: Stage, app: str) -> str:
    """A ticket of the ticker's, used on the site of `app`."""
    made = (await stage.desk.ticket(stage.paired)).json()
    async with stage.desk.socket(app) as opened:
        answer = await call(opened, "session.open", opening(made["ticket"]))
    return "in" if "result" in answer else str(answer["error"]["code"])


async def reused_ticket(stage: Stage) -> str:
    made = (await stage.desk.ticket(stage.paired)).json()
    for _ in range(2):
        async with stage.desk.socket() as opened:
            answer = await call(opened, "session.open", opening(made["ticket"]))
    return "in" if "result" in answer else str(answer["error"]["code"])


async def resumed_elsewhere(stage: Stage) -> str:
    made = (await stage.desk.ticket(stage.paired)).json()
    async with stage.desk.socket() as opened:
        answer = await call(opened, "session.open", opening(made["ticket"]))
    token = {"resumeToken": answer["result"]["resumeToken"], "protocolVersion": "1.0"}
    async with stage.desk.socket(BLOTTER) as opened:
        answer = await call(opened, "session.resume", token)
    return "in" if "result" in answer else str(answer["error"]["code"])


async def reused_code(stage: Stage) -> str:
    made = await stage.desk.shell.client.call("web.pair", {"app": TICKER}, result=dict)
    body = f"code={made['code']}".encode()
    for _ in range(2):
        reply = await stage.desk.ask("POST", "/pair", headers=FORM, body=body)
    return status_of(reply)


async def unpaired_page(stage: Stage) -> str:
    page = await stage.desk.page(headers={"origin": stage.own, "sec-fetch-site": "same-origin"})
    return "in" if b"deskbus-csrf" in page.body else "no token"


async def paired_page(stage: Stage) -> str:
    headers = {"cookie": stage.paired.cookie, "sec-fetch-site": "same-origin"}
    page = await stage.desk.page(headers=headers)
    return "in" if b"deskbus-csrf" in page.body else "no token"


async def cookie_of_another(stage: Stage) -> str:
    headers = stage.other.headers(stage.own)
    return status_of(await stage.desk.ask("POST", "/ticket", headers=headers, body=b"{}"))


async def no_session(stage: Stage) -> str:
    async with stage.desk.socket() as opened:
        answer = await call(opened, "bus.publish", {"topic": "t", "payload": 1})
    return "in" if "result" in answer else str(answer["error"]["code"])


async def with_session(stage: Stage) -> str:
    made = (await stage.desk.ticket(stage.paired)).json()
    async with stage.desk.socket() as opened:
        await call(opened, "session.open", opening(made["ticket"]))
        answer = await call(opened, "bus.publish", {"topic": "t", "payload": 1})
    return "in" if "result" in answer else str(answer["error"]["code"])


def rpc(body: bytes) -> Attempt:
    async def attempt(stage: Stage) -> str:
        reply = await stage.desk.ask("POST", "/rpc", headers=stage.headers(), body=body)
        if reply.status != 200:
            return str(reply.status)
        answer = reply.json()
        first = answer[0] if isinstance(answer, list) else answer
        return "in" if "result" in first else str(first["error"]["code"])

    return attempt


def batch(count: int) -> bytes:
    return json.dumps([{**json.loads(PING), "id": number} for number in range(count)]).encode()


async def shell_method(stage: Stage) -> str:
    body = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "web.pair", "params": {"app": TICKER}}
    ).encode()
    return await rpc(body)(stage)


async def by_the_shell(stage: Stage) -> str:
    await stage.desk.shell.client.call("web.pair", {"app": TICKER}, result=dict)
    return "in"


async def slow_head(stage: Stage) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.desk.port)
    return await _drip(reader, writer, f"GET /health HTTP/1.1\r\nhost: {stage.host}\r\nx: ")


async def slow_body(stage: Stage) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.desk.port)
    head = f"POST /csp-report HTTP/1.1\r\nhost: {stage.host}\r\ncontent-length: 1000\r\n"
    head += "content-type: application/csp-report\r\n\r\n"
    return await _drip(reader, writer, head)


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> str:
    """A byte now and then, for longer than an honest peer takes."""
    try:
        writer.write(head.encode())
        for _ in range(15):
            writer.write(b"x")
            await writer.drain()
            with anyio.move_on_after(0.1):
                if not await reader.read(1000):
                    return "closed"
                return "answered"
        return "in"
    except ConnectionError:
        return "closed"
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def chunked(stage: Stage) -> str:
    head = f"POST /ticket HTTP/1.1\r\nhost: {stage.desk.authority(TICKER)}\r\n"
    head += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    reply = await stage.desk.raw(head.encode() + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
    return "in" if reply_of(reply).status != 411 else "411"


async def many_bodies(stage: Stage) -> str:
    """The first of many connections whose bodies never come, once there are too many."""
    head = f"POST /ticket HTTP/1.1\r\nhost: {stage.desk.authority(TICKER)}\r\n"
    head += "content-type: application/json\r\ncontent-length: 9\r\n\r\n"
    return await many_connections(stage, head.encode())


async def many_connections(stage: Stage, said: bytes = b"") -> str:
    """The first of many connections that say no more, once there are too many."""
    with contextlib.ExitStack() as stack:
        async with without(stage, "request-time"):
            opened: list[socket.socket] = []
            for _ in range(40):
                link = socket.create_connection(("127.0.0.1", stage.desk.port))
                opened.append(stack.enter_context(link))
                link.sendall(said)
            # Connections are taken in their order: one that is answered comes after all of them.
            answer = await stage.desk.ask("GET", "/health", headers=stage.headers())
            assert answer.status == 200
        try:
            return "in" if opened[0].recv(1, socket.MSG_DONTWAIT) else "closed"
        except BlockingIOError:
            return "in"
        except ConnectionError:
            return "closed"


async def many_sockets(stage: Stage) -> str:
    async with contextlib.AsyncExitStack() as stack:
        first, *_ = [await stack.enter_async_context(stage.desk.socket()) for _ in range(12)]
        try:
            await first.send(PING.decode())
            await first.recv()
        except ConnectionClosed:
            return "the oldest stranger gave way"
        return "in"


async def fragment_flood(stage: Stage) -> str:
    async with stage.desk.socket() as opened:
        try:
            await opened.send(" " for _ in range(MAX_FRAGMENTS + 10))
            await opened.send(PING.decode())
            await opened.recv()
        except ConnectionClosed:
            return f"closed {opened.close_code}"
        return "in"


async def report_flood(stage: Stage) -> str:
    body = json.dumps({"csp-report": {"blocked-uri": "inline"}}).encode()
    headers = {"content-type": "application/csp-report", "origin": stage.own}
    statuses = {
        (await stage.desk.ask("POST", "/csp-report", headers=headers, body=body)).status
        for _ in range(130)
    }
    return "429" if 429 in statuses else "in"


async def injected_log(stage: Stage) -> str:
    """A path with an escape sequence of a terminal, refused, as the audit log then shows it."""
    mark = os.urandom(4).hex()
    path = f"/{mark}%1b%5d0%3bowned%07%0d%0aforged"
    await stage.desk.ask("GET", path, host=f"{mark}.example")
    return await _shown_in_audit(stage, mark)


async def injected_report(stage: Stage) -> str:
    mark = os.urandom(4).hex()
    body = json.dumps({"csp-report": {"blocked-uri": f"{mark}\x1b[31m\u202e"}}).encode()
    headers = {**stage.headers(), "content-type": "application/csp-report"}
    await stage.desk.ask("POST", "/csp-report", headers=headers, body=body)
    return await _shown_in_audit(stage, mark)


async def _shown_in_audit(stage: Stage, mark: str) -> str:
    with anyio.fail_after(LIMIT_S):
        while True:
            wanted = {"types": ["web.origin", "web.csp"], "limit": 500}
            found = await stage.desk.shell.client.call("audit.query", wanted, result=dict)
            for record in found["records"]:
                text = "".join(str(value) for value in record["details"].values())
                if mark in text:
                    return "in" if "\x1b" in text else "escaped"
            # The recorder counts what comes too often; its next record has another mark.
            await anyio.sleep(0.2)


async def foreign_nonce(stage: Stage) -> str:
    page = (await stage.desk.page(BLOTTER)).body.decode()
    evil = '<script nonce="'
    place = stage.desk.folder / "blotter/evil.html"
    place.write_text(
        '<!doctype html><title>x</title><script src="https://evil.example/x"></script>'
    )
    page = (await stage.desk.ask("GET", "/blotter/evil.html", app=BLOTTER)).body.decode()
    return "in" if f"{evil}" in page.partition("<title>")[2] else "no nonce"


async def other_user(stage: Stage) -> str:
    """Another user of this machine asks for a page."""
    if os.getuid() != 0:
        pytest.skip("only root can be another user")
    script = (
        "import os, socket, sys\n"
        "os.setuid(65534)\n"
        "peer = socket.socket()\n"
        "peer.connect(('127.0.0.1', int(sys.argv[1])))\n"
        "try:\n"
        "    peer.sendall(f'GET /health HTTP/1.1\\r\\nhost: {sys.argv[2]}\\r\\n\\r\\n'.encode())\n"
        "    print(peer.recv(12).decode())\n"
        "except ConnectionError:\n"
        "    print('')\n"
    )
    command = [sys.executable, "-c", script, str(stage.desk.port), stage.host]
    done = await anyio.run_process(command, stderr=subprocess.STDOUT)
    return "in" if done.stdout.startswith(b"HTTP/1.1 200") else "closed"


async def reflected(stage: Stage) -> str:
    headers = {**JSON, "origin": EVIL}
    reply = await stage.desk.ask("POST", "/ticket", headers=headers, body=b"{}")
    return "in" if reply.headers.get("access-control-allow-origin") else str(reply.status)


async def poisoned(stage: Stage) -> str:
    reply = await stage.desk.ask("GET", "/", host="evil.example")
    return "in" if reply.status < 400 else str(reply.status)


async def forwarded(stage: Stage) -> str:
    headers = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    page = (await stage.desk.page(headers=headers)).body + str(
        (await stage.desk.page(headers=headers)).headers
    ).encode()
    return "in" if b"evil.example" in page else "not looked at"


class Operator(NamedTuple):
    """A browser that was let in to the control centre."""

    stage: Stage
    paired: Paired

    async def ask(self, path: str, body: object, **changes: str | None) -> str:
        desk = self.stage.desk
        made: dict[str, str | None] = {**self.paired.headers(desk.origins[CONTROL_APP])}
        made |= {name.replace("_", "-"): value for name, value in changes.items()}
        headers = {name: value for name, value in made.items() if value is not None}
        data = json.dumps(body).encode()
        reply = await desk.ask("POST", path, app=CONTROL_APP, headers=headers, body=data)
        if path != "/rpc" or reply.status != 200:
            return status_of(reply)
        answer = reply.json()
        return "in" if "result" in answer else str(answer["error"]["code"])

    async def code(self) -> str:
        made = await self.stage.desk.ticket(self.paired, CONTROL_APP)
        browser = made.json()["client"].split("-")[1]
        told = await self.stage.desk.shell.client.call(
            "web.pairToAct", {"browser": browser}, result=dict
        )
        return str(told["code"])

    async def step_up(self, **changes: str | None) -> str:
        return await self.ask("/step-up", {"code": await self.code()}, **changes)

    async def publish(self) -> str:
        params = {"topic": "tests.attack", "payload": 1}
        call = {"jsonrpc": "2.0", "id": 1, "method": "control.publish", "params": params}
        return await self.ask("/rpc", call)


async def operator(stage: Stage) -> Operator:
    return Operator(stage, await stage.desk.pair(CONTROL_APP))


async def enters(stage: Stage, *codes: str, target: str = "/pair") -> str:
    """The entrance of the control centre, by each of the codes in turn."""
    for code in codes:
        body = f"code={code}".encode()
        reply = await stage.desk.ask("POST", target, app=CONTROL_APP, headers=FORM, body=body)
    return status_of(reply)


async def entrance_code(stage: Stage, app: str = CONTROL_APP) -> str:
    made = await stage.desk.shell.client.call("web.pair", {"app": app}, result=dict)
    return str(made["code"])


async def guessed_entrance(stage: Stage) -> str:
    await entrance_code(stage)
    return await enters(stage, "x" * 43)


async def reused_entrance(stage: Stage) -> str:
    code = await entrance_code(stage)
    return await enters(stage, code, code)


async def entrance_of_an_app(stage: Stage) -> str:
    return await enters(stage, await entrance_code(stage, TICKER))


async def entrance_in_the_address(stage: Stage) -> str:
    target = f"/pair?code={await entrance_code(stage)}"
    got = status_of(await stage.desk.ask("GET", target, app=CONTROL_APP))
    form = await stage.desk.ask("POST", target, app=CONTROL_APP, headers=FORM)
    return "in" if "in" in (got, status_of(form)) else got


async def honest_entrance(stage: Stage) -> str:
    return await enters(stage, await entrance_code(stage))


def stepping_up(**changes: str | None) -> Attempt:
    """With a good code."""

    async def attempt(stage: Stage) -> str:
        return await (await operator(stage)).step_up(**changes)

    return attempt


async def guessed_step(stage: Stage) -> str:
    mine = await operator(stage)
    await mine.code()
    return await mine.ask("/step-up", {"code": "0000-0000-0000-0000"})


async def guessed_steps(stage: Stage) -> str:
    mine = await operator(stage)
    got = {await mine.ask("/step-up", {"code": f"{guess:016}"}) for guess in range(GUESSES)}
    return "429" if "429" in got else "in"


async def reused_step(stage: Stage) -> str:
    mine = await operator(stage)
    code = await mine.code()
    await mine.ask("/step-up", {"code": code})
    return await mine.ask("/step-up", {"code": code})


async def step_of_another(stage: Stage) -> str:
    mine, other = await operator(stage), await operator(stage)
    return await other.ask("/step-up", {"code": await mine.code()})


async def expired_session(stage: Stage) -> str:
    mine = await operator(stage)
    stage.switch("expire")
    return await mine.ask("/ticket", {})


async def revoked_session(stage: Stage) -> str:
    mine = await operator(stage)
    wish = {"app": CONTROL_APP}
    await stage.desk.shell.client.call("web.forgetBrowsers", wish, result=dict)
    return await mine.ask("/ticket", {})


async def act_without_a_code(stage: Stage) -> str:
    return await (await operator(stage)).publish()


async def act_too_late(stage: Stage) -> str:
    mine = await operator(stage)
    assert await mine.step_up() == "in"
    stage.switch("tire")
    return await mine.publish()


async def honest_page(stage: Stage) -> str:
    return status_of(await stage.desk.page())


PREFLIGHT = {"access-control-request-method": "POST"}
LONG = "x" * 3000

ATTACKS = [
    # Where a request is sent, and where it comes from.
    Attack("a name rebound to loopback", asks("GET", "/ticker/index.html", host="evil.example:{port}", origin=None), "host"),
    Attack("a cache poisoned by Host", poisoned, "host"),
    Attack("a Host from a proxy's headers", forwarded, honest_page),
    Attack("a GET that would make a ticket", asks("GET", "/ticket"), asks("POST", "/ticket", body=b"{}")),
    Attack("a GET with a method override", asks("GET", "/ticket", x_http_method_override="POST"), asks("POST", "/ticket", body=b"{}")),
    Attack("a POST of a foreign page", asks("POST", "/ticket", body=b"{}", origin=EVIL, sec_fetch_site="cross-site"), "source"),
    Attack("a POST of the same host on another port", asks("POST", "/ticket", body=b"{}", origin=lambda s: f"{s.own[:-1]}0", sec_fetch_site="same-site"), "source"),
    Attack("a POST that says it is same-origin from another", asks("POST", "/ticket", body=b"{}", origin=EVIL), "source"),
    Attack("a POST with the origin null", asks("POST", "/ticket", body=b"{}", origin="null", sec_fetch_site=None), "source"),
    Attack("a POST with a foreign Referer alone", asks("POST", "/ticket", body=b"{}", origin=None, sec_fetch_site=None, referer=f"{EVIL}/"), "source"),
    Attack("a POST with a cookie and no origin at all", asks("POST", "/ticket", body=b"{}", origin=None, sec_fetch_site=None), "cookie-alone"),
    Attack("an origin with our name as a prefix", asks("POST", "/ticket", body=b"{}", origin=lambda s: f"{s.own}.evil.example", sec_fetch_site=None), "source"),
    Attack("an origin with our name as userinfo", asks("POST", "/ticket", body=b"{}", origin=lambda s: f"http://{s.host}@evil.example", sec_fetch_site=None), "source"),
    Attack("an origin in capitals", asks("POST", "/ticket", body=b"{}", origin=lambda s: s.own.upper(), sec_fetch_site=None), "source"),
    Attack("JSON-RPC as text/plain", asks("POST", "/rpc", body=PING, content_type="text/plain"), "media-type"),
    Attack("JSON-RPC as a form", asks("POST", "/rpc", body=PING, content_type="application/x-www-form-urlencoded"), "media-type"),
    Attack("a foreign page that embeds a script of ours", bare("GET", "/ticker/page.js", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script"}), "embedding"),
    Attack("reflected CORS", reflected, "cors"),
    Attack("a preflight of a foreign origin", bare("OPTIONS", "/ticket", {**PREFLIGHT, "origin": EVIL}), "cors"),
    Attack("a listed origin asks for another app", bare("OPTIONS", "/ticket", {**PREFLIGHT, "origin": OUTSIDE}), bare("OPTIONS", "/ticket", {**PREFLIGHT, "origin": OUTSIDE}, app=BLOTTER)),
    # The browsers that are let in.
    Attack("a page without a pairing", unpaired_page, paired_page),
    Attack("a cookie without the proof, as another port steals it", asks("POST", "/ticket", body=b"{}", x_deskbus_proof=None), "proof"),
    Attack("a cookie without the token", asks("POST", "/ticket", body=b"{}", x_deskbus_csrf=None), "csrf"),
    Attack("a token of another session", asks("POST", "/ticket", body=b"{}", x_deskbus_csrf=lambda s: s.other.csrf), "csrf"),
    Attack("a session of another app", cookie_of_another, "session-binding"),
    Attack("a pairing code that was used", reused_code, "code-once"),
    Attack("a ticket that was used", reused_ticket, "once"),
    Attack("a ticket on another app's site", lambda stage: two_sockets(stage, BLOTTER), "place"),
    Attack("a resume token on another app's site", resumed_elsewhere, "place"),
    Attack("a WebSocket without a session publishes", no_session, with_session),
    Attack("a page calls a method of the shell's", shell_method, by_the_shell),
    Attack("another user of this machine", other_user, "user"),
    # The control centre's entrance, and its step up to acting.
    Attack("an operator's code that is guessed", guessed_entrance, "operator-code"),
    Attack("an operator's code that was used", reused_entrance, "operator-once"),
    Attack("an app's code at the operator's entrance", entrance_of_an_app, "operator-own"),
    Attack("an operator's code in the address", entrance_in_the_address, honest_entrance),
    Attack("a step up of a foreign page", stepping_up(origin=EVIL, sec_fetch_site="cross-site"), "source"),
    Attack("a step up without the token", stepping_up(x_deskbus_csrf=None), "csrf"),
    Attack("a step up without the proof", stepping_up(x_deskbus_proof=None), "proof"),
    Attack("a step up by a guessed code", guessed_step, "operator-code"),
    Attack("a step up by a code that was used", reused_step, "operator-once"),
    Attack("a step up by another browser's code", step_of_another, "operator-own"),
    Attack("an operator's session whose time is over", expired_session, "operator-time"),
    Attack("an operator's session that was revoked", revoked_session, "operator-end"),
    Attack("an act without a code of its own", act_without_a_code, "operator-acts"),
    Attack("an act once the time to act is over", act_too_late, "operator-acts"),
    Attack("a flood of guesses at the step up", guessed_steps, "rates"),
    # WebSockets.
    Attack("a WebSocket of a foreign page", socket_from(EVIL), "ws-origin"),
    Attack("a WebSocket without an origin", socket_from(None), "ws-origin"),
    Attack("a WebSocket of a sandboxed frame", socket_from("null"), "ws-origin"),
    Attack("a WebSocket of a sibling below our name", socket_from("http://x.localhost"), "ws-origin"),
    Attack("a compressed frame, to be unpacked", frames(bytes((0xC1,)) + masked(Opcode.TEXT, b" ")[1:]), "frame-heads"),
    Attack("a frame that is too long", frames(bytes((0x81, 0xFF)) + (MAX_WS_FRAME_BYTES + 1).to_bytes(8, "big") + b"mask", wait_s=0.3), "frame-size"),
    Attack("a flood of fragments", fragment_flood, "fragments"),
    Attack("a flood of pings", frames(*[masked(Opcode.PING, b"")] * 200, wait_s=0.3), "control-frames"),
    Attack("a frame that never ends", frames(b"\x81\x85mask"), "frame-time"),
    Attack("many WebSockets of one origin", many_sockets, "sockets"),
    # Sizes, times and numbers.
    Attack("a head byte by byte", slow_head, "request-time"),
    Attack("a body byte by byte", slow_body, "request-time"),
    Attack("connections that say nothing", many_connections, "connections"),
    Attack("connections whose bodies never come", many_bodies, "connections"),
    Attack("a body in chunks of a byte each", chunked, "chunks"),
    Attack("a target that is too long", asks("GET", f"/health?{LONG}"), "targets"),
    Attack("a head that is too large", bare("GET", "/health", {"x": "y" * 20_000}), bare("GET", "/health", {"x": "y" * 1000})),
    Attack("a report that is too large", bare("POST", "/csp-report", {"content-type": "application/csp-report"}, json.dumps({"csp-report": {"blocked-uri": "x" * (MAX_REPORT_BYTES - 100), "more": "x" * 200}}).encode()), "report-size"),
    Attack("a ticket's body that is too large", asks("POST", "/ticket", body=b"{" + b" " * MAX_FORM_BYTES + b"}"), "form-size"),
    Attack("a call that is too large", rpc(PING + b" " * 4_200_000), rpc(PING)),
    Attack("a body in gzip, to be unpacked", asks("POST", "/rpc", body=gzip.compress(b" " * 50_000_000), content_encoding="gzip"), asks("POST", "/rpc", body=PING)),
    Attack("JSON nested without end", rpc(b'{"jsonrpc":"2.0","id":1,"method":"session.ping","params":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}"), rpc(PING)),
    Attack("a batch of hundreds", rpc(batch(300)), rpc(batch(3))),
    Attack("a flood of reports", report_flood, "rates"),
    # Files.
    Attack("a way up in the path", bare("GET", "/ticker/../secret.key", {}), "paths"),
    Attack("a way up, encoded", bare("GET", "/ticker/%2e%2e/secret.key", {}), "paths"),
    Attack("a way up, encoded twice", bare("GET", "/ticker/%252e%252e/secret.key", {}), "paths-twice"),
    Attack("a way up with backslashes", bare("GET", "/ticker/..%5c..%5coutside.js", {}), "paths"),
    Attack("a link out of the folder", bare("GET", "/ticker/link.js", {}), "paths"),
    Attack("a device of Windows", bare("GET", "/ticker/aux.js", {}), "devices"),
    Attack("a file that is no page's", bare("GET", "/secret.key", {}), "paths"),
    # Two readers of one request.
    Attack("two lengths", raw("POST /csp-report HTTP/1.1\r\nhost: HOST\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcde"), raw("GET /health HTTP/1.1\r\nhost: HOST\r\n\r\n")),
    Attack("a length beside chunks", raw("POST /csp-report HTTP/1.1\r\nhost: HOST\r\ncontent-type: text/plain\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nhost: HOST\r\n\r\n"), raw("GET /health HTTP/1.1\r\nhost: HOST\r\n\r\n")),
    Attack("a coding that nobody knows", raw("POST /csp-report HTTP/1.1\r\nhost: HOST\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n"), raw("GET /health HTTP/1.1\r\nhost: HOST\r\n\r\n")),
    Attack("two hosts", raw("GET /health HTTP/1.1\r\nhost: HOST\r\nhost: evil.example\r\n\r\n"), raw("GET /health HTTP/1.1\r\nhost: HOST\r\n\r\n")),
    Attack("a name with a space", raw("GET /health HTTP/1.1\r\nhost : HOST\r\n\r\n"), raw("GET /health HTTP/1.1\r\nhost: HOST\r\n\r\n")),
    Attack("a target with a host of its own", raw("GET http://evil.example/health HTTP/1.1\r\nhost: HOST\r\n\r\n"), raw("GET /health HTTP/1.1\r\nhost: HOST\r\n\r\n")),
    Attack("an upgrade to another protocol", raw("GET /health HTTP/1.1\r\nhost: HOST\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"), raw("GET /health HTTP/1.1\r\nhost: HOST\r\n\r\n")),
    # Words of strangers.
    Attack("a log forged by a path", injected_log, "shown"),
    Attack("a log forged by a report", injected_report, "shown"),
    Attack("a nonce for a foreign script", foreign_nonce, "nonces"),
]  # fmt: skip


@asynccontextmanager
async def without(stage: Stage, defence: str) -> AsyncIterator[None]:
    stage.switch(f"off {defence}")
    try:
        yield
    finally:
        stage.switch("on")


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
async def test_an_attack_fails_and_its_control_does_not(
    stage: Stage, attack: Attack, table: list[str]
) -> None:
    await stage.pair()
    got = await attack.attempt(stage)
    if isinstance(attack.off, str):
        async with without(stage, attack.off):
            control = await attack.attempt(stage)
    else:
        control = await attack.off(stage)
    table.append(f"{attack.name} | {got} | {control}")
    assert got != "in"
    assert control == "in"


def test_there_are_enough_attacks_and_each_is_its_own() -> None:
    names = [attack.name for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 45


def test_each_defence_that_can_be_switched_off_is_where_it_was() -> None:
    gone = [
        (word, name)
        for word, changes in OFF.items()
        for owner, name, _ in changes
        if not hasattr(owner, name)
    ]
    assert gone == []
