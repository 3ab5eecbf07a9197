"""Language: the texts of one language, with their values filled in as it has them."""

import functools
import re

from deskbus.languages.catalogue import (
    FALLBACK,
    Direction,
    TextCatalogue,
    negotiate,
    read_catalogue,
)
from deskbus.languages.message_format import OTHER, Branches, Field, Message, parse
from deskbus.languages.plural_rules import category_by

Value = str | int | float

FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"

_RIGHT_TO_LEFT = (
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_LEFT_TO_RIGHT = "[A-Za-z\u00aa-\u02b8\u0370-\u058f\u0900-\u1fff\u2c00-\ud7ff]"


class Language:
    """A missing key is a `KeyError`: a test holds that there is none."""

    def __init__(self, catalogue: TextCatalogue) -> None:
        self._catalogue = catalogue
        self._category = category_by(catalogue.plurals)
        self._parsed: dict[str, Message] = {}
        self._foreign = _LEFT_TO_RIGHT if catalogue.direction == "rtl" else _RIGHT_TO_LEFT

    @property
    def code(self) -> str:
        """As in HTML's `lang`."""
        return self._catalogue.language

    @property
    def direction(self) -> Direction:
        """As in HTML's `dir`."""
        return self._catalogue.direction

    def has(self, key: str) -> bool:
        return key in self._catalogue.messages

    def text(self, key: str, **values: Value) -> str:
        """The text of `key`. A value that is written the other way round is isolated (UAX #9)."""
        message = self._parsed.get(key)
        if message is None:
            message = self._parsed[key] = parse(self._catalogue.messages[key])
        return self._fill(message, values)

    def filled(self, text: str, **values: Value) -> str:
        """A text of somebody else's, such as an administrator's, with its values filled in."""
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", self._isolated(str(value)))
        return text

    def number(self, value: float, decimals: int = 0) -> str:
        """With so many decimals, in groups of three digits."""
        group, decimal = self._catalogue.numbers.group, self._catalogue.numbers.decimal
        whole, _, rest = f"{value:,.{decimals}f}".partition(".")
        return whole.replace(",", group) + (decimal + rest if rest else "")

    def _fill(self, message: Message, values: dict[str, Value]) -> str:
        return "".join(
            part if isinstance(part, str) else self._value(part, values) for part in message
        )

    def _value(self, part: Field | Branches, values: dict[str, Value]) -> str:
        value = values[part.name]
        if isinstance(part, Field):
            if part.style == "number" and not isinstance(value, str):
                return self.number(value, 0 if value == int(value) else 1)
            return self._isolated(str(value))
        branch = str(value)
        if part.kind == "plural":
            branch = self._category(int(value))
        return self._fill(part.messages.get(branch, part.messages[OTHER]), values)

    def _isolated(self, text: str) -> str:
        # Kept by `re` once it is compiled, which takes milliseconds that a start does not need.
        if re.search(self._foreign, text):
            return f"{FIRST_STRONG_ISOLATE}{text}{POP_ISOLATE}"
        return text


@functools.cache
def _language(code: str) -> Language:
    return Language(read_catalogue(code))


def language_for(locale: str) -> Language:
    """The language for a locale; English where there is no better one."""
    return _language(negotiate(locale))


def english() -> Language:
    """The language of the command line, of records and of errors on the wire."""
    return _language(FALLBACK)
