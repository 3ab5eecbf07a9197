"""The real backend, of which a test may switch defences off, one at a time.

python -m tests.web.weakened, as `python -m deskbus`; DESKBUS_TEST_WEAKEN names the socket to
listen on.
Waits are short and numbers small from the start, so that a test reaches them.
"""

import gc
import hashlib
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deskbus import cli
from deskbus.handlers.session import SessionHandlers
from deskbus.security.tickets.one_time_tickets import TicketIssuer
from deskbus.web import gateway
from deskbus.web.origins.browser_sessions import Browser, BrowserSessions
from deskbus.web.origins.operator_access import OperatorAccess
from deskbus.web.origins.sites import Site, Sites
from deskbus.web.pages import app_files, script_nonces, violation_reports
from deskbus.web.server import http_connection
from deskbus.web.websocket import frames, handshake, link, sockets

VARIABLE = "DESKBUS_TEST_WEAKEN"
MUCH = 10**9

SHORT: list[tuple[Any, str, object]] = [
    (http_connection, "REQUEST_WITHIN_S", 0.5),
    (http_connection, "MAX_HTTP_CONNECTIONS", 24),
    (link, "WS_FRAME_WITHIN_S", 0.5),
    (sockets, "MAX_SOCKETS_OF_ORIGIN", 8),
]


def _at(sites: Sites, authority: str) -> Site | None:
    """The site of that name, and for any other name the ticker's."""
    return sites._by_authority.get(authority, sites.of("com.example.ticker"))


def _redeem(issuer: TicketIssuer, ticket: str, app: str) -> object:
    minted = next(reversed(issuer._open.values()), None) or _last[0]
    _last[:] = [minted]
    issuer._open.clear()
    return minted.identity


_last: list[Any] = []


def _spend_code(sessions: BrowserSessions, code: str, app: str, browser: str = "") -> bool:
    return True


def _spend_kept(sessions: BrowserSessions, code: str, app: str, browser: str = "") -> bool:
    found = sessions._codes.get(hashlib.sha256(code.encode()).digest())
    return found is not None and (found.app, found.browser) == (app, browser)


def _spend_for_any(sessions: BrowserSessions, code: str, app: str, browser: str = "") -> bool:
    return sessions._codes.pop(hashlib.sha256(code.encode()).digest(), None) is not None


def _is_kept(sessions: BrowserSessions, browser: Browser) -> bool:
    return browser.key in sessions._browsers


def _find(sessions: BrowserSessions, secret: str, app: str, origin: str) -> object:
    return sessions._browsers.get(hashlib.sha256(secret.encode()).digest())


def _read(site: Site, path: str, _closed: object) -> app_files.AppFile:
    place = os.path.join(site.folder, path.lstrip("/").replace("\\", "/"))  # noqa: PTH118
    content = Path(place).read_bytes()
    return app_files.AppFile(content, "text/plain", '"x"')


def _read_twice(site: Site, path: str, closed: object) -> app_files.AppFile:
    from urllib.parse import unquote

    return _read(site, unquote(path), closed)


def _device(site: Site, path: str, closed: object) -> app_files.AppFile:
    return app_files.AppFile(b"device", "text/plain", '"x"')


def _first(headers: Any, name: bytes) -> str:
    return str((headers.get(name) or [b""])[0].decode())


def _yes(*_: object, **__: object) -> bool:
    return True


def _no(*_: object, **__: object) -> bool:
    return False


def _nothing(*_: object, **__: object) -> None:
    return None


def _constant(value: object) -> Callable[..., object]:
    return lambda *_, **__: value


OFF: dict[str, list[tuple[Any, str, object]]] = {
    "host": [(Sites, "is_ours", _yes), (Sites, "at", _at)],
    "source": [(gateway, "source_of", _constant("own"))],
    "cors": [(gateway, "source_of", _constant("outside"))],
    "cookie-alone": [(gateway, "source_of", _constant("program"))],
    "embedding": [(gateway, "is_foreign_embedding", _no)],
    "ws-origin": [
        (handshake, "named_origin", lambda header: header or "none"),
        (Site, "admits", _yes),
    ],
    "ws-one-header": [(handshake, "_only", _first)],
    "csrf": [(BrowserSessions, "is_csrf_token", _yes)],
    "proof": [(Browser, "is_proof", _yes)],
    "session-binding": [(BrowserSessions, "find", _find)],
    "place": [(SessionHandlers, "_check_place", _nothing)],
    "once": [(TicketIssuer, "redeem", _redeem)],
    "code-once": [(BrowserSessions, "spend", _spend_code)],
    "operator-code": [(BrowserSessions, "spend", _yes)],
    "operator-once": [(BrowserSessions, "spend", _spend_kept)],
    "operator-own": [(BrowserSessions, "spend", _spend_for_any)],
    "operator-time": [(BrowserSessions, "is_in", _is_kept), (BrowserSessions, "sweep", _nothing)],
    "operator-end": [(BrowserSessions, "forget", _constant(0))],
    "operator-acts": [(OperatorAccess, "permits", _yes)],
    "media-type": [(gateway, "_media_type", _constant("application/json"))],
    "report-size": [(gateway, "MAX_REPORT_BYTES", MUCH)],
    "form-size": [(gateway, "MAX_FORM_BYTES", MUCH)],
    "paths": [(app_files, "read", _read)],
    "paths-twice": [(app_files, "read", _read_twice)],
    "devices": [(app_files, "read", _device)],
    "targets": [(gateway, "is_within_limits", _yes)],
    "request-time": [(http_connection, "REQUEST_WITHIN_S", 3600.0)],
    "frame-time": [(link, "WS_FRAME_WITHIN_S", 3600.0)],
    "chunks": [(http_connection, "TRANSFER_ENCODING", b"x-none")],
    "connections": [(http_connection, "MAX_HTTP_CONNECTIONS", MUCH)],
    "sockets": [(sockets, "MAX_SOCKETS_OF_ORIGIN", MUCH)],
    "frame-size": [(frames, "MAX_WS_FRAME_BYTES", MUCH)],
    "fragments": [(frames, "MAX_FRAGMENTS", MUCH)],
    "frame-heads": [(frames.WsDecoder, "_check_head", _nothing)],
    "control-frames": [(link.WebSocketConnection, "_spend", _nothing)],
    "rates": [(gateway.Gateway, "_spend", _nothing)],
    "shown": [(gateway, "shown", str), (violation_reports, "shown", str)],
    "nonces": [(script_nonces, "_origin_of", _constant("https://cdn.example.com"))],
    "user": [(http_connection, "is_same_user", _yes)],
}


def expire() -> None:
    """Each browser's time is over, to look and to act."""
    for each in gc.get_objects():
        if isinstance(each, Browser):
            each.ends_at_s = each.acts_until_s = 0.0


def tire() -> None:
    """Each browser may look only, from now on."""
    for each in gc.get_objects():
        if isinstance(each, Browser):
            each.acts_until_s = 0.0


WORDS = {"expire": expire, "tire": tire}


def listen(path: str) -> None:
    """Takes `off NAME`, `on`, `expire` and `tire`; answers each with a line."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    while True:
        peer, _ = server.accept()
        kept: list[tuple[Any, str, object]] = []
        with peer, peer.makefile("rw") as lines:
            for line in lines:
                if line.startswith("off "):
                    for owner, name, value in OFF[line[4:].strip()]:
                        kept.append((owner, name, getattr(owner, name)))
                        setattr(owner, name, value)
                elif line.strip() in WORDS:
                    WORDS[line.strip()]()
                else:
                    for owner, name, value in reversed(kept):
                        setattr(owner, name, value)
                    kept.clear()
                lines.write("done\n")
                lines.flush()


if __name__ == "__main__":
    for owner, name, value in SHORT:
        setattr(owner, name, value)
    threading.Thread(target=listen, args=(os.environ[VARIABLE],), daemon=True).start()
    sys.exit(cli.main(sys.argv[1:]))
