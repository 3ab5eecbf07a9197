"""Files that a person writes, TOML or JSON: errors name the line, and the names that come near."""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

NEAR = 0.6
"""How alike a name has to be to be offered for one that is not known, from 0 to 1."""

_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_NOT_OFFERED = re.compile(r"Invalid enum value '?(.*?)'?\Z", re.DOTALL)
_OTHER_FORM = "Expected `str` matching regex"
_PLACE = re.compile(r" - at `\$\.?([^`]*)`\Z")
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)\Z")
_AT_BYTE = re.compile(r" \(byte (\d+)\)\Z")
_STEP = re.compile(r"([A-Za-z_]+)|\[(\d+)\]")
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]++')
"""Possessive, so that no place to go back to is kept for each character of a long text."""


class HandwrittenFileError(Exception):
    """A file can't be used; the text says where, why, and what to do."""

    def __init__(self, where: str, cause: str, action: str) -> None:
        self.cause = f"{where}: {cause.rstrip('.')}."
        self.action = action
        super().__init__(f"{self.cause} {action}")


Content = TypeVar("Content", bound=msgspec.Struct)


class HandwrittenFile(Generic[Content]):
    """The file as it was written; `content` is what is in it, unchecked."""

    def __init__(self, path: Path, kind: type[Content]) -> None:
        self.path = path
        self.content: object = None
        self._kind = kind
        self._lines: list[str] = []
        self._json = ""

    def read_toml(self, content: bytes) -> Content:
        """Raises `HandwrittenFileError`."""
        text = self._text(content)
        try:
            self.content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _AT_LINE.search(str(error))
            cause = _AT_LINE.sub("", str(error))
            line = int(found[1]) if found else len(self._lines)
            action = "Correct the TOML there; text stands in quotes."
            raise self._error(line, f"It is not TOML: {cause}", action) from error
        except RecursionError:
            raise self._too_deep() from None
        return self._checked(lambda: msgspec.convert(self.content, self._kind))

    def read_json(self, content: bytes) -> Content:
        """Raises `HandwrittenFileError`."""
        text = self._text(content)
        try:
            self.content = msgspec.json.decode(content)
        except msgspec.DecodeError as error:
            found = _AT_BYTE.search(str(error))
            cause = _AT_BYTE.sub("", str(error))
            line = content[: int(found[1])].count(b"\n") + 1 if found else len(self._lines)
            action = "Correct the JSON there; names and text stand in double quotes."
            raise self._error(line, f"It is not JSON: {cause}", action) from error
        except RecursionError:
            raise self._too_deep() from None
        self._json = text
        return self._checked(lambda: msgspec.json.decode(content, type=self._kind))

    def error(self, place: str, cause: str, action: str, *, word: str = "") -> HandwrittenFileError:
        """An error at a key such as `apps[0].grants[1].scope`; `word` stands in its line."""
        line = self._line_of(place, word)
        return self._error(line, f"{place}: {cause}" if place not in cause else cause, action)

    def line_of(self, place: str) -> int | None:
        """The line that `rules[3]` or another place begins in, counted from 1; None if unknown."""
        return self._line_of(place, "")

    @cached_property
    def _places(self) -> dict[str, int]:
        """Of a JSON text; worked out for the words of an error alone."""
        return _places(self._json)

    def _error(self, line: int | None, cause: str, action: str) -> HandwrittenFileError:
        where = str(self.path) if line is None else f"{self.path}:{line}"
        return HandwrittenFileError(where, cause, action)

    def _too_deep(self) -> HandwrittenFileError:
        return self._error(None, "It is nested too deeply", "Take levels out.")

    def _text(self, content: bytes) -> str:
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise self._error(line, "It is not UTF-8", "Save it as UTF-8.") from error
        self._lines = text.split("\n")
        return text

    def _checked(self, read: Callable[[], Content]) -> Content:
        try:
            return read()
        except msgspec.ValidationError as error:
            raise self._explained(str(error)) from error
        except RecursionError:
            raise self._too_deep() from None

    def _explained(self, words: str) -> HandwrittenFileError:
        """The message of msgspec, with the names that may have been meant."""
        found = _PLACE.search(words)
        place, cause = (found[1], words[: found.start()]) if found else ("", words)
        unknown, missing = _UNKNOWN.match(cause), _MISSING.match(cause)
        if unknown is not None:
            key = f"{place}.{unknown[1]}".lstrip(".")
            return self.error(
                key, "There is no such key", _offer(unknown[1], _keys_at(self._kind, place))
            )
        if missing is not None:
            return self.error(place, f"{missing[1]} is missing", f"Add {missing[1]} there.")
        return self.error(place, *_misfit(self._kind, place, cause))

    def _line_of(self, place: str, word: str) -> int | None:
        """The line that a key is written in, as far as it can be found; counted from 1."""
        steps = [name or int(number) for name, number in _STEP.findall(place)]
        if not steps or not self._lines:
            return None
        if self._json:
            return _nearest(self._places, place)
        first, last = self._section(steps)
        keys = [step for step in steps if isinstance(step, str)]
        wanted = [re.escape(word)] if word else []
        wanted.append(rf"(?<![\w.-]){re.escape(keys[-1])}\"?\s*=|\[[\w.]*\b{keys[-1]}\]")
        for pattern in wanted:
            for number in range(first, last):
                if re.search(pattern, self._lines[number]):
                    return number + 1
        return first + 1

    def _section(self, steps: list[str | int]) -> tuple[int, int]:
        """The lines of the table that a path begins with, from the first up to the last."""
        name = re.escape(str(steps[0]))
        nth = steps[1] if len(steps) > 1 and isinstance(steps[1], int) else 0
        header = re.compile(rf"\s*\[\[?\s*{name}\s*\]")
        heads = [at for at, line in enumerate(self._lines) if header.match(line)]
        if nth >= len(heads):
            return 0, len(self._lines)
        end = re.compile(rf"\s*\[(?!\[?\s*{name}\.)[\[\w\s.-]+\]+\s*(#.*)?\Z")
        return heads[nth], next(
            (at for at in range(heads[nth] + 1, len(self._lines)) if end.match(self._lines[at])),
            len(self._lines),
        )


def _places(text: str) -> dict[str, int]:
    """The line of each value of a JSON text, by its place.

    The key of an object is None until it has come: a key may be empty.
    """
    found: dict[str, int] = {}
    inside: list[tuple[str, str | int | None]] = []
    line, at = 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", at, token.start())
        at = token.start()
        mark = token.group()
        if mark in "}]":
            inside.pop()
        elif mark == ",":
            place, key = inside[-1]
            inside[-1] = (place, key + 1 if isinstance(key, int) else None)
        elif mark == ":":
            continue
        elif inside and inside[-1][1] is None:
            inside[-1] = (inside[-1][0], json.loads(mark))
            found.setdefault(_place_in(inside), line)
        else:
            place = _place_in(inside)
            found.setdefault(place, line)
            if mark in "{[":
                inside.append((place, None if mark == "{" else 0))
    return found


def _place_in(inside: list[tuple[str, str | int | None]]) -> str:
    if not inside:
        return ""
    place, key = inside[-1]
    return f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}".lstrip(".")


def _nearest(places: Mapping[str, int], place: str) -> int:
    """The line of a place, or of the closest one around it."""
    while place not in places and place:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return places.get(place, 1)


def _offer(name: str, names: Sequence[str]) -> str:
    return near(name, names) or f"Known ones: {', '.join(names)}."


def _misfit(root: type[msgspec.Struct], place: str, cause: str) -> tuple[str, str]:
    """Cause and action for a value that msgspec refuses."""
    kind, schema = _value_at(root, place)
    refused = _NOT_OFFERED.match(cause)
    if refused is not None and isinstance(kind, inspect.LiteralType):
        offer = _offer(refused[1], [str(value) for value in kind.values])
        return f"{refused[1]} is none of the values that there are", offer
    if cause.startswith(_OTHER_FORM):
        example = next(iter(schema.get("examples", ())), "")
        return "The text does not have the right form", f"Write it as in {json.dumps(example)}."
    return cause, "Correct the value."


def near(name: str, names: Iterable[str]) -> str:
    """A question that suggests similar names; empty where there are none."""
    import difflib

    close = difflib.get_close_matches(name, list(names), n=3, cutoff=NEAR)
    return f"Did you mean {' or '.join(close)}?" if close else ""


def _keys_at(root: type[msgspec.Struct], place: str) -> list[str]:
    """The keys of the table at a place of the file."""
    kind = _table_of(_type_at(root, place))
    if not isinstance(kind, inspect.StructType):
        return []
    return [field.encode_name for field in kind.fields]


def _value_at(root: type[msgspec.Struct], place: str) -> tuple[inspect.Type, Mapping[str, Any]]:
    """The type of one value in the file, and what its schema says beside."""
    kind = _type_at(root, place)
    schema: Mapping[str, Any] = {}
    while isinstance(kind, inspect.Metadata | inspect.ListType):
        if isinstance(kind, inspect.ListType):
            kind = kind.item_type
        else:
            schema = kind.extra_json_schema or {}
            kind = kind.type
    return kind, schema


def _type_at(root: type[msgspec.Struct], place: str) -> inspect.Type:
    kind: inspect.Type = inspect.type_info(root)
    for name, _ in _STEP.findall(place):
        if not name:
            continue
        kind = _table_of(kind)
        if not isinstance(kind, inspect.StructType):
            return inspect.AnyType()
        kind = next(field.type for field in kind.fields if field.encode_name == name)
    return kind


def _table_of(kind: inspect.Type) -> inspect.Type:
    """The table within a list, an optional value or a value with bounds."""
    while not isinstance(kind, inspect.StructType):
        if isinstance(kind, inspect.ListType):
            kind = kind.item_type
        elif isinstance(kind, inspect.Metadata):
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            tables = (inspect.StructType, inspect.ListType, inspect.Metadata)
            kind = next((one for one in kind.types if isinstance(one, tables)), kind.types[0])
        else:
            break
    return kind
