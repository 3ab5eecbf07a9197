"""The catalogues: a JSON file for each language, beside this module."""

import functools
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

FALLBACK = "en"
"""The language of whoever has none of the others, and of all that is not for people."""

MAX_LOCALE = 64
"""Characters of a locale's name that are looked at."""

Direction = Literal["ltr", "rtl"]


class NumberFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signs between thousands and before decimals."""

    group: str
    decimal: str


class TextCatalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All texts of one language, by the place where they stand.

    `plurals` are CLDR's rules for whole numbers, `dates` the locale by whose habits times are
    written.
    """

    language: str
    name: str
    direction: Direction
    dates: str
    numbers: NumberFormat
    plurals: dict[str, str]
    messages: Annotated[dict[str, str], Meta(min_length=1)]


@functools.cache
def languages() -> tuple[str, ...]:
    """The codes of the available languages, such as `de`."""
    files = resources.files("deskbus.languages").iterdir()
    return tuple(sorted(file.name.removesuffix(".json") for file in files if _is_one(file.name)))


def _is_one(file_name: str) -> bool:
    return file_name.endswith(".json")


@functools.cache
def read_catalogue(language: str) -> TextCatalogue:
    """The catalogue of one of `languages()`, 40 to 80 kB."""
    file = resources.files("deskbus.languages") / f"{language}.json"
    return msgspec.json.decode(file.read_bytes(), type=TextCatalogue)


def negotiate(locale: str) -> str:
    """The language for a locale such as `de-AT` or `de_DE.UTF-8`: RFC 4647's lookup."""
    wanted = locale[:MAX_LOCALE].partition(".")[0].replace("_", "-").casefold()
    known = {language.casefold(): language for language in languages()}
    while wanted:
        if wanted in known:
            return known[wanted]
        wanted = wanted.rpartition("-")[0]
    return FALLBACK
