"""The test language ar-XB: English words, written from right to left as Android's pseudolocale is.

`make schemas` writes its catalogue anew. A text that is not turned round comes from no catalogue.
"""

import re
import sys
from pathlib import Path

import msgspec

from deskbus.languages.catalogue import NumberFormat, TextCatalogue, read_catalogue
from deskbus.languages.message_format import OTHER, Field, Message, parse

CODE = "ar-XB"
FILE = Path(__file__).with_name(f"{CODE}.json")

RIGHT_TO_LEFT_MARK, OVERRIDE, POP = "\u200f", "\u202e", "\u202c"

PLURALS = {
    "zero": "n = 0",
    "one": "n = 1",
    "two": "n = 2",
    "few": "n % 100 = 3..10",
    "many": "n % 100 = 11..99",
}
"""Those of Arabic, in CLDR."""


def pseudo_catalogue(english: TextCatalogue) -> TextCatalogue:
    return TextCatalogue(
        language=CODE,
        name=turned("Right to left"),
        direction="rtl",
        dates="ar",
        numbers=NumberFormat(group="٬", decimal="٫"),
        plurals=PLURALS,
        messages={key: _written(parse(text)) for key, text in english.messages.items()},
    )


def turned(text: str) -> str:
    """Each word as it would stand if it were Arabic."""
    word = rf"{RIGHT_TO_LEFT_MARK}{OVERRIDE}\g<0>{POP}{RIGHT_TO_LEFT_MARK}"
    return re.sub(r"\S+", word, text)


def _written(message: Message) -> str:
    written = ""
    for part in message:
        if isinstance(part, str):
            written += turned(part)
        elif isinstance(part, Field):
            style = ", number" if part.style == "number" else ""
            written += f"{{{part.name}{style}}}"
        else:
            known = {name: _written(branch) for name, branch in part.messages.items()}
            names = [*PLURALS, OTHER] if part.kind == "plural" else list(known)
            branches = " ".join(f"{name} {{{known.get(name, known[OTHER])}}}" for name in names)
            written += f"{{{part.name}, {part.kind}, {branches}}}"
    return written


def catalogue_file() -> bytes:
    encoded = msgspec.json.encode(pseudo_catalogue(read_catalogue("en")))
    return msgspec.json.format(encoded, indent=2) + b"\n"


if __name__ == "__main__":
    FILE.write_bytes(catalogue_file())
    sys.exit(0)
