"""The app that a page in a browser is, by its address. Pure.

FDC3 2.2, Browser-Resident Desktop Agents, "Validating app identity": a record fits where every part
of its URL is in the page's, and the record with most parts counts.
"""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

from msgspec import UnsetType

from deskbus.fdc3.directory.app_record import AppRecord

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_QUERY_FIELDS = 100


class _Address(NamedTuple):
    origin: str
    path: str
    query: frozenset[tuple[str, str]]
    fragment: str

    def score_within(self, page: "_Address") -> int:
        """The number of parts that the page's address has of this; 0 where it lacks one."""
        fits = (
            self.origin == page.origin
            and self.path in ("", page.path)
            and self.query <= page.query
            and self.fragment in ("", page.fragment)
        )
        return 1 + bool(self.path) + len(self.query) + bool(self.fragment) if fits else 0


def origin_of(url: str) -> str | None:
    """The origin of an http or https address, as browsers write it (RFC 6454); None for others."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return _origin(parts, port)


def is_consistent(origin: str, *urls: str) -> bool:
    """Whether all of these addresses are of the origin that the browser named."""
    return bool(origin) and all(origin_of(url) == origin for url in urls)


def record_of_page(records: Iterable[AppRecord], url: str) -> AppRecord | None:
    """The record that fits a page's address best; the first of equals, None where none does."""
    page = _read(url)
    if page is None:
        return None
    best: AppRecord | None = None
    best_score = 0
    for record in records:
        wanted = None if isinstance(record.details.url, UnsetType) else _read(record.details.url)
        score = 0 if wanted is None else wanted.score_within(page)
        if score > best_score:
            best, best_score = record, score
    return best


def _origin(parts: SplitResult, port: int | None) -> str | None:
    host = parts.hostname
    if parts.scheme not in DEFAULT_PORTS or not host or parts.username is not None:
        return None
    named = f"[{host}]" if ":" in host else host
    suffix = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{named}{suffix}"


def _read(url: str) -> _Address | None:
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
        origin = _origin(parts, parts.port)
    except ValueError:
        return None
    if origin is None:
        return None
    return _Address(origin, parts.path.rstrip("/"), frozenset(query), parts.fragment)
