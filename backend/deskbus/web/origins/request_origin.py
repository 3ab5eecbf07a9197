"""Where a request comes from, and whether it may change anything.

As Go 1.25's `http.CrossOriginProtection` judges: the browser's own word first (Fetch Metadata),
then Origin, then Referer. A request with none of them is no browser's; one that carries a cookie
anyway is refused.
"""

from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from deskbus.web.origins.sites import named_origin

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110, section 9.2.1: they change nothing here."""

Source = Literal["own", "outside", "program", "foreign"]
"""`own` is a page of the same origin, `outside` one of an origin on the app's list, `program` no
page at all, `foreign` everything else.
"""


def source_of(headers: Mapping[str, str], own: str, outside: Iterable[str]) -> Source:
    """`own` is the origin that the request was sent to; `headers` have names in lower case."""
    claimed = headers.get("origin")
    origin = named_origin(claimed) if claimed is not None else ""
    if origin and origin in outside:
        return "outside"
    fetch_site = headers.get("sec-fetch-site")
    if fetch_site is not None:
        # `none` is a person's own doing, which no page can cause.
        honest = fetch_site in ("same-origin", "none") and origin in ("", own)
        return "own" if honest and claimed in (None, own) else "foreign"
    if claimed is not None:
        return "own" if origin == own else "foreign"
    referer = headers.get("referer")
    if referer is not None:
        parts = urlsplit(referer)
        return "own" if f"{parts.scheme}://{parts.netloc}" == own else "foreign"
    return "foreign" if "cookie" in headers else "program"


def is_foreign_embedding(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site wants this in itself, rather than to go there."""
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return False
    return (
        headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest") != "document"
    )
