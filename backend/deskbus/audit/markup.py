"""Text of records for a page that people read: nothing in it is markup, nothing is hidden."""

import html
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that show nothing, or turn what is beside them around."""


def escaped(text: str) -> str:
    shown = "".join(
        f"⟨{ord(character):04X}⟩" if unicodedata.category(character) in _HIDDEN else character
        for character in text
    )
    return html.escape(shown)
