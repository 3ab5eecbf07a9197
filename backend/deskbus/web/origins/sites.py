"""Sites: an origin of its own for each app, and the origins from elsewhere that may come as one.

A site is one label below `localhost`: `a.b.localhost` and `c.b.localhost` would be same-site, and
share cookies (RFC 6265bis, the Public Suffix List's default rule).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from msgspec import UnsetType

from deskbus.config import WebConfig
from deskbus.security.model.scope_grammar import canonical_origin
from deskbus_protocol.manifest import Manifest, WebSpec, WindowSpec

LABEL_CHARACTERS = 63
HASH_CHARACTERS = 16
CONTROL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""Hosts of the gateway itself, on which no app is."""


class Site(NamedTuple):
    """An app's place in the gateway. `folder` is the one that its paths are taken from.

    `authority` is what stands in a request's Host.
    """

    app: str
    name: str
    authority: str
    origin: str
    folder: Path
    pages: tuple[WindowSpec, ...]
    spec: WebSpec
    publisher: str = ""
    outside: frozenset[str] = frozenset()
    """Origins from elsewhere, in their canonical form, that may come as this app."""

    def admits(self, origin: str) -> bool:
        """Whether pages of `origin`, as a browser names it, may speak as this app."""
        return origin == self.origin or origin in self.outside

    @property
    def home(self) -> str:
        """The path of the app's first page."""
        return "/" + quote(self.pages[0].url.lstrip("/"), safe="/?&=#%")


def label_of(app: str) -> str:
    """A DNS label that people recognize, and that is unique for each app."""
    digest = hashlib.sha256(app.encode()).hexdigest()[:HASH_CHARACTERS]
    readable = re.sub(r"[^a-z0-9]+", "-", app.lower()).strip("-")
    room = LABEL_CHARACTERS - HASH_CHARACTERS - 1
    return f"{readable[:room].rstrip('-')}-{digest}"


class Sites:
    """The sites of the apps that there are now. `apps` tells them, with their folders."""

    def __init__(
        self, config: WebConfig, port: int, apps: Iterable[tuple[Manifest, Path]] = ()
    ) -> None:
        self.port = port
        self._outside: dict[str, set[str]] = {}
        for each in config.origins:
            self._outside.setdefault(each.app, set()).add(_known(each.origin))
        self._by_authority: dict[str, Site] = {}
        self._by_app: dict[str, Site] = {}
        self.control = frozenset(f"{host}:{port}" for host in CONTROL_HOSTS)
        for manifest, folder in apps:
            self.add(manifest, folder)

    def __iter__(self) -> Iterator[Site]:
        return iter(self._by_app.values())

    def add(self, manifest: Manifest, folder: Path) -> None:
        """Adds the site of an app; an app without a page of its own has none."""
        self.remove(manifest.id)
        pages = tuple(window for window in manifest.windows if "://" not in window.url)
        if not pages:
            return
        authority = f"{label_of(manifest.id)}.localhost:{self.port}"
        spec = WebSpec() if isinstance(manifest.web, UnsetType) else manifest.web
        outside = self._outside.get(manifest.id, set()) | {_known(each) for each in spec.origins}
        site = Site(
            app=manifest.id,
            name=manifest.name,
            authority=authority,
            origin=f"http://{authority}",
            folder=folder,
            pages=pages,
            spec=spec,
            publisher=manifest.publisher,
            outside=frozenset(outside - {""}),
        )
        self._by_authority[authority] = self._by_app[manifest.id] = site

    def remove(self, app: str) -> None:
        site = self._by_app.pop(app, None)
        if site is not None:
            del self._by_authority[site.authority]

    def at(self, authority: str) -> Site | None:
        """The site of a Host header, compared exactly."""
        return self._by_authority.get(authority)

    def of(self, app: str) -> Site | None:
        return self._by_app.get(app)

    def is_ours(self, authority: str) -> bool:
        return authority in self.control or authority in self._by_authority

    def origins_of(self, apps: Iterable[str]) -> list[str]:
        """The origins of those apps that have a site."""
        return [site.origin for app in apps if (site := self._by_app.get(app)) is not None]


def _known(origin: str) -> str:
    """Canonical, or empty for what no browser would name: wildcards allow nobody in here."""
    known = canonical_origin(origin) or ""
    return "" if "*" in known else known


def named_origin(header: str) -> str:
    """The origin in an Origin header; empty where it is none, such as `null`.

    A browser's own spelling is canonical already, so any other is somebody else's.
    """
    return header if _known(header) == header else ""
