"""Names of apps that can't deceive: safe to show, and not mistaken for one another."""

import unicodedata
from collections.abc import Iterable

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that show nothing, though their category is a visible one."""

_ALIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"))


def visible(text: str) -> str:
    """`text` with control, bidi and zero-width characters written as their code points."""
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
    return (
        unicodedata.category(char) in _INVISIBLE
        or char in _BLANK
        or 0xFE00 <= ord(char) <= 0xFE0F
        or 0xE0100 <= ord(char) <= 0xE01EF
    )
