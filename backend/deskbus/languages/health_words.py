"""Statements about a component's health: by key for a page's language, in English for the rest."""

from deskbus.languages.language import Value, english
from deskbus_protocol.health import ComponentHealth, Phrase, Status

PREFIX = "page.control.health."
"""The prefix of the keys of phrases in the catalogues."""


def phrase(key: str, **values: Value) -> Phrase:
    """`key` is one of the catalogues', without `PREFIX`."""
    return Phrase(key=key, values=values)


def other(words: str) -> Phrase:
    """A statement without a key, such as the operating system's own words; it stays English."""
    return phrase("other", words=words)


def english_words(*phrases: Phrase) -> str:
    """The English text, for the command line, logs and records."""
    language = english()
    said = []
    for each in phrases:
        key = PREFIX + each.key
        said.append(language.text(key, **each.values))
    return "; ".join(said)


def told(status: Status, *phrases: Phrase) -> ComponentHealth:
    return ComponentHealth(status=status, detail=english_words(*phrases), phrases=[*phrases])
