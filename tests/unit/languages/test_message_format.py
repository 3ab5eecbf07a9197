"""Messages as both sides read them: the backend here, the bridge in language.test.mjs."""

from pathlib import Path

import msgspec
import pytest

from deskbus.languages.catalogue import read_catalogue
from deskbus.languages.language import Language, Value
from deskbus.languages.message_format import Branches, Field, fields, parse

SHARED = Path(__file__).parents[2] / "data/messages.json"


class Row(msgspec.Struct):
    language: str
    message: str
    values: dict[str, Value]
    text: str


def language_with(code: str, message: str) -> Language:
    return Language(msgspec.structs.replace(read_catalogue(code), messages={"key": message}))


@pytest.mark.parametrize("row", msgspec.json.decode(SHARED.read_bytes(), type=list[Row]), ids=str)
def test_a_message_is_filled_as_its_language_has_it(row: Row) -> None:
    assert language_with(row.language, row.message).text("key", **row.values) == row.text


def test_a_message_tells_the_values_that_it_needs() -> None:
    message = parse("{a} {b, number} {c, plural, one {#} other {{d}}}")
    assert fields(message) == {("a", "text"), ("b", "number"), ("c", "plural"), ("d", "text"),
                               ("c", "number")}  # fmt: skip


def test_a_number_sign_stands_for_the_number_in_a_plural_only() -> None:
    assert parse("#1") == ("#1",)
    (part,) = parse("{n, plural, other {#}}")
    assert isinstance(part, Branches)
    assert part.messages == {"other": (Field("n", "number"),)}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "}",
        "{a",
        "{a, plural}",
        "{a, date}",
        "{a, plural, one {x}}",
        "{a, select, b x}",
        "{a,}",
    ],
)
def test_a_message_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize(
    ("code", "value", "decimals", "text"),
    [
        ("en", 1234567.891, 1, "1,234,567.9"),
        ("de", 1234567.891, 1, "1.234.567,9"),
        ("de", 999, 0, "999"),
        ("en", -1234, 0, "-1,234"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(
    code: str, value: float, decimals: int, text: str
) -> None:
    assert language_with(code, "").number(value, decimals) == text


def test_the_text_of_an_administrator_is_filled_in_as_it_is() -> None:
    language = language_with("en", "")
    assert language.filled("{app} {x} }{", app="Ticker") == "Ticker {x} }{"
