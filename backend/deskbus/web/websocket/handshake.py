"""The opening handshake of a WebSocket: RFC 6455, section 4.2, and who may make it."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from deskbus.web.origins.sites import Site, Sites, named_origin

BUS_PATH = "/bus"
VERSION = b"13"
KEY_BYTES = 16
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Verdict(NamedTuple):
    """`site` is None where the handshake is refused, with `status` and `reason`.

    `origin` is the page's; of a refused one, as it was claimed, for the audit log, and empty where
    it is not the fault.
    """

    site: Site | None
    origin: str = ""
    status: int = 400
    reason: str = "This is no WebSocket handshake."


NO_HANDSHAKE = Verdict(None)


def judge(sites: Sites, target: str, headers: Mapping[bytes, list[bytes]]) -> Verdict:
    """A browser can't leave out Origin or change it, so pages of others stay out; a program can,
    and has no ticket.
    """
    host = _only(headers, b"host")
    site = sites.at(host)
    if not sites.is_ours(host):
        return Verdict(None, f"http://{host}", 421, "No such host is here.")
    if target != BUS_PATH or site is None:
        return Verdict(None, "", 404, "No WebSocket is here.")
    if _only(headers, b"sec-websocket-version").encode() != VERSION:
        return Verdict(None, "", 426, "Only version 13 is spoken here.")
    if (
        not _is_key(_only(headers, b"sec-websocket-key"))
        or _only(headers, b"upgrade").lower() != "websocket"
    ):
        return NO_HANDSHAKE
    claimed = _only(headers, b"origin")
    origin = named_origin(claimed)
    fetch_site = _only(headers, b"sec-fetch-site")
    is_own = origin == site.origin
    if not origin or not site.admits(origin) or (is_own and fetch_site not in ("", "same-origin")):
        return Verdict(None, claimed or "none", 403, "Pages of this origin have no WebSocket here.")
    return Verdict(site, origin)


def answer(key: bytes, headers: Mapping[str, str]) -> bytes:
    """The response that accepts; no extension and no subprotocol is agreed on."""
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"upgrade: websocket",
        b"connection: Upgrade",
        b"sec-websocket-accept: " + accept,
    ]
    lines += [f"{name}: {value}".encode() for name, value in headers.items()]
    return b"\r\n".join((*lines, b"", b""))


def _only(headers: Mapping[bytes, list[bytes]], name: bytes) -> str:
    """A header's value; empty where it is missing or repeated."""
    values = headers.get(name, [])
    return values[0].decode("latin-1") if len(values) == 1 else ""


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == KEY_BYTES
    except (ValueError, binascii.Error):
        return False
