"""ScriptNonces: gives the scripts of a static page the nonce of its response.

A `<script src>` whose source is the app's own, or on its list, gets it; an inline script or an
event handler never does, so none runs. The page's text is changed nowhere else.
"""

from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

_INSERT_AFTER = len("<script")


class _Scripts(HTMLParser):
    """Finds where the start tags of scripts are, and where the head's content begins."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[tuple[int, int], str | None]] = []
        self.first: tuple[int, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("html", "head", "meta") and self.first is None:
            self.first = self.getpos()
        if tag == "script":
            # Of an attribute that comes twice, HTML takes the first.
            sources = [value for name, value in attrs if name == "src"]
            self.found.append((self.getpos(), sources[0] if sources else None))


def with_nonces(
    page: str, nonce: str, address: str, is_allowed: Callable[[str], bool], first: str
) -> str:
    """`page`, served from `address`, with the nonce in each script that `is_allowed` lets in.

    `is_allowed` is asked of an origin. `first` is markup that goes before everything that the
    page shows or runs.
    """
    parser = _Scripts()
    parser.feed(page)
    parser.close()
    starts = _line_starts(page)
    inserts: list[tuple[int, str]] = []
    for (line, column), source in parser.found:
        if source is not None and is_allowed(_origin_of(urljoin(address, source.strip()))):
            # The first of two equal attributes counts, so one that the page has means nothing.
            inserts.append((starts[line - 1] + column + _INSERT_AFTER, f' nonce="{nonce}"'))
    if first:
        line, column = parser.first or (1, 0)
        inserts.insert(0, (starts[line - 1] + column, first))
    inserts.sort(key=lambda insert: insert[0])
    pieces: list[str] = []
    done = 0
    for place, text in inserts:
        pieces += (page[done:place], text)
        done = place
    return "".join((*pieces, page[done:]))


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _line_starts(text: str) -> list[int]:
    """Where each line begins, as `HTMLParser.getpos` counts lines: at newlines alone."""
    starts = [0]
    place = text.find("\n")
    while place >= 0:
        starts.append(place + 1)
        place = text.find("\n", place + 1)
    return starts
