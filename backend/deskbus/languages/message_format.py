"""Messages in a subset of ICU MessageFormat: `{name}`, `{name, number}`, plural and select. Pure.

`electron-bridge/src/common/language/message-format.ts` reads the same; a test holds them together.
"""

from typing import Literal, NamedTuple

OTHER = "other"
"""The branch that every choice has."""


class Field(NamedTuple):
    """The place of a value."""

    name: str
    style: Literal["text", "number"]


class Branches(NamedTuple):
    """One message of several: by the plural category of a number, or by a word."""

    name: str
    kind: Literal["plural", "select"]
    messages: "dict[str, Message]"


Part = str | Field | Branches
Message = tuple[Part, ...]


class _MessageReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def message(self, counted: str | None = None) -> Message:
        """Up to the brace that ends it; in a plural, `#` is the number `counted`."""
        parts: list[Part] = []
        while self._at < len(self._text) and self._text[self._at] != "}":
            if self._text[self._at] == "{":
                parts.append(self._argument(counted))
            elif counted is not None and self._text[self._at] == "#":
                self._at += 1
                parts.append(Field(counted, "number"))
            else:
                parts.append(self._literal("{}" if counted is None else "{}#"))
        return tuple(parts)

    def whole(self) -> Message:
        message = self.message()
        if self._at < len(self._text):
            raise ValueError(f"a brace too many: {self._text}")
        return message

    def _argument(self, counted: str | None) -> Part:
        self._take("{")
        name = self._literal("{},").strip()
        if self._ahead("}"):
            return Field(name, "text")
        self._take(",")
        style = self._literal("{},").strip()
        if style == "number":
            self._take("}")
            return Field(name, "number")
        if style not in ("plural", "select"):
            raise ValueError(f"no such style as {style}: {self._text}")
        self._take(",")
        messages: dict[str, Message] = {}
        while not self._ahead("}"):
            branch = self._literal("{}").strip()
            self._take("{")
            messages[branch] = self.message(name if style == "plural" else counted)
            self._take("}")
            self._literal("{}", but_space=True)
        if OTHER not in messages:
            raise ValueError(f"there is no branch {OTHER}: {self._text}")
        return Branches(name, "plural" if style == "plural" else "select", messages)

    def _literal(self, until: str, *, but_space: bool = False) -> str:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in until:
            if but_space and not self._text[self._at].isspace():
                break
            self._at += 1
        return self._text[start : self._at]

    def _take(self, wanted: str) -> None:
        if not self._ahead(wanted):
            raise ValueError(f"{wanted} is missing: {self._text}")

    def _ahead(self, wanted: str) -> bool:
        found = self._text[self._at : self._at + 1] == wanted
        self._at += found
        return found


def parse(text: str) -> Message:
    """Raises `ValueError` where it is not a message of this subset."""
    return _MessageReader(text).whole()


def fields(message: Message) -> set[tuple[str, str]]:
    """The names of the values that it needs, each with how it is used."""
    found: set[tuple[str, str]] = set()
    for part in message:
        if isinstance(part, Field):
            found.add((part.name, part.style))
        elif isinstance(part, Branches):
            found.add((part.name, part.kind))
            for branch in part.messages.values():
                found |= fields(branch)
    return found
