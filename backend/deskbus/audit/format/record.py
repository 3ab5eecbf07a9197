"""One record as its line in the file: ASCII JSON in canonical form, without line separators.

    {"seq":7,"prev":"…","time":…,"mono":…,"boot":"…","severity":"…","type":"…", …,"mac":"…"}

`seq` counts from 0. `prev` is the RFC 6962 leaf hash of the line before, whatever that is; `mac`
covers all in front of it. `time` is Unix milliseconds, `mono` microseconds of this run's monotonic
clock.
"""

import binascii
import hashlib
import re
from typing import Any

import msgspec

from deskbus_protocol.events import Event

MAX_TEXT = 1024
"""Characters of one field that are kept; of a longer one, the beginning and its SHA-256."""

_KEPT = 900
_NOT_PLAIN = re.compile("[^\x20-\x7e]")
_encode = msgspec.json.Encoder().encode


class Stamped(msgspec.Struct, frozen=True):
    """An event and when it was told: Unix milliseconds, and microseconds of the monotonic clock."""

    event: Event
    time_ms: int
    mono_us: int


class Times(msgspec.Struct, frozen=True):
    """The fields of a line by which its clock is judged."""

    seq: int
    time: int
    mono: int
    boot: str


_times = msgspec.json.Decoder(Times).decode


def event_json(event: Event) -> bytes:
    """The event alone, plain ASCII, with long fields cut."""
    try:
        encoded = _encode(event)
    except UnicodeEncodeError:
        encoded = _encode(_cut(msgspec.to_builtins(event)))
    if len(encoded) > MAX_TEXT:
        encoded = _encode(_cut(msgspec.json.decode(encoded)))
    return plain(encoded)


def plain(encoded: bytes) -> bytes:
    """The same JSON in printable ASCII alone: nothing in it can move a terminal."""
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return _NOT_PLAIN.sub(_escape, encoded.decode()).encode()


def unsigned_line(stamped: Stamped, seq: int, prev: bytes, boot: bytes) -> bytes:
    """The line up to its MAC."""
    event = stamped.event
    decision = b'"decision":"%b",' % event.decision.encode() if event.decision else b""
    return b'{"seq":%d,"prev":"%b","time":%d,"mono":%d,"boot":"%b","severity":"%b",%b%b' % (
        seq,
        binascii.b2a_base64(prev, newline=False),
        stamped.time_ms,
        stamped.mono_us,
        boot,
        event.severity.encode(),
        decision,
        event_json(event)[1:-1],
    )


def close_line(unsigned: bytes, mac: bytes) -> bytes:
    return b'%b,"mac":"%b"}' % (unsigned, binascii.b2a_base64(mac, newline=False))


def split_mac(line: bytes) -> tuple[bytes, bytes]:
    """A line's part in front of the MAC, and the MAC; raises `ValueError`."""
    unsigned, mark, rest = line.rpartition(b',"mac":"')
    if not mark or not rest.endswith(b'"}'):
        raise ValueError("the line has no MAC")
    return unsigned, binascii.a2b_base64(rest[:-2], strict_mode=True)


def prefix(seq: int, prev: bytes) -> bytes:
    """The beginning of the line of that sequence, behind the line of hash `prev`."""
    return b'{"seq":%d,"prev":"%b","time":' % (seq, binascii.b2a_base64(prev, newline=False))


def times(line: bytes) -> Times:
    """Raises `ValueError` for a line that is no record."""
    try:
        return _times(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("this is not a record") from error


def _cut(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _shorter(value) if isinstance(value, str) else value for name, value in fields.items()
    }


def _shorter(text: str) -> str:
    content = text.encode("utf-8", "backslashreplace")
    if len(text) <= MAX_TEXT:
        return content.decode()
    digest = hashlib.sha256(content).hexdigest()
    beginning = text[:_KEPT].encode("utf-8", "backslashreplace").decode()
    return f"{beginning}… [cut: {len(content)} bytes, sha256 {digest}]"


def _escape(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
