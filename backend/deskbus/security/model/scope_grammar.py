"""The grammars of scopes. Pure: a path is compared as text, so it has to be canonical already.

Two questions differ in what they do when in doubt. `covers` is asked of a grant and answers no;
`meets` is asked of a denial and answers yes: it folds letter case and Unicode forms, as some file
systems do.
"""

import ipaddress
import re
import unicodedata
from typing import Protocol

from deskbus_protocol.errors import INVALID_PARAMS, DeskbusError
from deskbus_protocol.permissions import PermissionEntry, ScopeKind
from deskbus_protocol.topics import check_pattern, covers, overlaps

EVERYWHERE = "*"
"""Every origin."""

_APP = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*")
_ORIGIN = re.compile(
    r"(https?|wss?)://(?:(\*\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DEFAULT_PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


class Grammar(Protocol):
    def check(self, scope: str) -> None:
        """Raises `DeskbusError` (invalid_topic, invalid_params) for a scope outside it."""

    def covers(self, wide: str, narrow: str) -> bool:
        """Whether all of `narrow` is in `wide`; never yes wrongly."""

    def meets(self, one: str, other: str) -> bool:
        """Whether anything is in both; never no wrongly."""


class Topics:
    def check(self, scope: str) -> None:
        check_pattern(scope)

    def covers(self, wide: str, narrow: str) -> bool:
        return wide == narrow or covers(wide, narrow)

    def meets(self, one: str, other: str) -> bool:
        return overlaps(one, other)


class Apps:
    def check(self, scope: str) -> None:
        if len(scope) > 128 or not _APP.fullmatch(scope):
            raise _refused("The scope of this permission is an app id.")

    def covers(self, wide: str, narrow: str) -> bool:
        return wide == narrow

    def meets(self, one: str, other: str) -> bool:
        return one == other


class Paths:
    """A file, or a folder with all that is in it."""

    def check(self, scope: str) -> None:
        if not is_absolute(scope) or set(scope.split("/")[1:-1]) & {"", ".", ".."}:
            raise _refused("The scope of this permission is an absolute path without . and ..")
        if scope.rsplit("/", 1)[1] in (".", "..") or (scope.endswith("/") and scope != "/"):
            raise _refused("The scope of this permission is an absolute path without . and ..")
        if not scope.isprintable() or not unicodedata.is_normalized("NFC", scope):
            raise _refused(
                "A path to ask for is in Unicode's form NFC, without control characters."
            )

    def covers(self, wide: str, narrow: str) -> bool:
        return narrow == wide or narrow.startswith(wide.rstrip("/") + "/")

    def meets(self, one: str, other: str) -> bool:
        first, second = _folded(one), _folded(other)
        return self.covers(first, second) or self.covers(second, first)


class Origins:
    """`https://host`, `https://host:8443`, `wss://*.example.com`, or `*` for all of them."""

    def check(self, scope: str) -> None:
        if scope != EVERYWHERE and canonical_origin(scope) != scope:
            raise _refused("The scope of this permission is an origin, such as https://example.com")

    def covers(self, wide: str, narrow: str) -> bool:
        if EVERYWHERE in (wide, narrow) or wide == narrow:
            return wide in (EVERYWHERE, narrow)
        scheme, wild, rest = wide.partition("://*.")
        inner_scheme, _, inner = narrow.partition("://")
        return bool(wild) and scheme == inner_scheme and inner.endswith("." + rest)

    def meets(self, one: str, other: str) -> bool:
        return self.covers(one, other) or self.covers(other, one)


class Words:
    def check(self, scope: str) -> None:
        if not scope.isprintable() or not unicodedata.is_normalized("NFC", scope):
            raise _refused("A scope is in Unicode's form NFC, without control characters.")

    def covers(self, wide: str, narrow: str) -> bool:
        return wide == narrow

    def meets(self, one: str, other: str) -> bool:
        return _folded(one) == _folded(other)


GRAMMARS: dict[ScopeKind, Grammar] = {
    "topics": Topics(),
    "app": Apps(),
    "path": Paths(),
    "origin": Origins(),
    "word": Words(),
    "fixed": Words(),
    "contexts": Topics(),
    "intents": Topics(),
    "choices": Topics(),
}


def check_scope(entry: PermissionEntry, scope: str) -> None:
    """Raises `DeskbusError` (invalid_topic, invalid_params) for a scope outside the grammar."""
    if entry.scope == "fixed" and scope != entry.word:
        raise _refused(f"The scope of {entry.name} is {entry.word}.")
    GRAMMARS[entry.scope].check(scope)


def is_absolute(path: str) -> bool:
    return path.startswith("/") and "\0" not in path


def canonical_origin(origin: str) -> str | None:
    """In lower case and without a default port; None for what is no origin of the grammar."""
    if not origin.isascii():
        return None
    found = _ORIGIN.fullmatch(origin.lower().removesuffix("/"))
    if found is None:
        return None
    scheme, wild, host, port = found.groups()
    if wild and (host is None or "." not in host):
        return None
    if port is not None and (port.startswith("0") or int(port) > 65_535):
        return None
    named = _host_of(host, found.group())
    if named is None:
        return None
    ending = "" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}"
    return f"{scheme}://{wild or ''}{named}{ending}"


def _host_of(name: str | None, origin: str) -> str | None:
    """The host in the one spelling that browsers use, so that a denial covers every spelling."""
    if name is None:
        try:
            address = ipaddress.IPv6Address(origin[origin.index("[") + 1 : origin.index("]")])
        except ValueError:
            return None
        mapped = address.ipv4_mapped
        if mapped is None:
            return f"[{address.compressed}]"
        return f"[::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}]"
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        # To a browser 127.1, 0x7f.1 and 2130706433 are all 127.0.0.1.
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            return None
    return name


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _refused(words: str) -> DeskbusError:
    return DeskbusError(INVALID_PARAMS, words)
