"""Names of apps that can't deceive: safe to show, and not mistaken for one another."""

import re
import unicodedata
from collections.abc import Iterable

_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Letters, marks and variation selectors that show nothing, though they count as printable."""

_ALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"))


def visible(text: str) -> str:
    """`text` with control, bidi and zero-width characters written as their code points."""
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(f"\\u{{{ord(char):x}}}" if _is_hidden(char) else char for char in text)


def skeleton(app: str) -> str:
    """The same for two app ids that a person could take for one another."""
    text = app.replace("-", "")
    for seen, stands_for in _ALIKE:
        text = text.replace(seen, stands_for)
    return text


def look_alike(app: str, others: Iterable[str]) -> str | None:
    """Another of the ids that this one could be taken for."""
    mine = skeleton(app)
    return next((other for other in others if other != app and skeleton(other) == mine), None)


def _is_hidden(char: str) -> bool:
    """Of what counts as unprintable, spaces alone are of a visible kind."""
    if char.isprintable():
        return _BLANK.match(char) is not None
    return unicodedata.category(char) != "Zs"
