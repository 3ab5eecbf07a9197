"""Permissions in words for a person who does not know what a topic is."""

import pytest

from deskbus.languages.language import english, language_for
from deskbus.languages.permission_words import (
    hold_words,
    is_everything,
    permission_detail,
    permission_statement,
    permission_title,
    scope_words,
    worded,
)
from deskbus_protocol.catalogue import BUILT_IN, Catalogue
from deskbus_protocol.permissions import PermissionEntry

pytestmark = pytest.mark.requirement("3.1")


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_every_permission_is_told_in_plain_words(entry: PermissionEntry) -> None:
    statement = permission_statement(english(), entry, "Ticker")
    detail = permission_detail(english(), entry, "Ticker")
    assert statement.startswith("Ticker wants to")
    assert statement.endswith(".")
    assert detail.endswith(".")
    assert permission_title(english(), entry)
    assert scope_words(english(), entry, "desk.feed")
    assert "{app}" not in statement + detail
    assert worded(english(), entry).statement == statement.replace("Ticker", "{app}")


@pytest.mark.parametrize(
    ("permission", "scope", "words", "german"),
    [
        ("messaging.read", "#", "Every topic of every app", "Jedes Topic jeder App"),
        ("messaging.read", "prices.#", "Everything under prices", "Alles unter prices"),
        ("messaging.read", "prices.EURUSD", "The topic prices.EURUSD", "Das Topic prices.EURUSD"),
        (
            "messaging.read",
            "prices.*.bid",
            "Every topic of the form prices.*.bid",
            "Jedes Topic der Form prices.*.bid",
        ),
        ("app.send", "desk.feed", "The app desk.feed", "Die App desk.feed"),
        ("filesystem.read", "/", "Every file on this computer", "Jede Datei auf diesem Computer"),
        ("network", "https://*.a.de", "Every site under a.de", "Jede Website unter a.de"),
        (
            "network",
            "http://a.de",
            "The site a.de (not encrypted)",
            "Die Website a.de (unverschlüsselt)",
        ),
        ("network", "*", "Every site", "Jede Website"),
        (
            "fdc3.context.read",
            "fdc3%2Echannel%2E1.fdc3.instrumentList",
            "Lists of instruments on the channel fdc3.channel.1",
            "Listen von Finanzinstrumenten auf dem Kanal fdc3.channel.1",
        ),
        ("fdc3.raise", "ViewChart.#", "ViewChart, with all data", "ViewChart; Daten: alle Daten"),
    ],
)
def test_scopes_are_told_in_words(permission: str, scope: str, words: str, german: str) -> None:
    entry = Catalogue()[permission]
    assert scope_words(english(), entry, scope) == words
    assert scope_words(language_for("de"), entry, scope) == german


@pytest.mark.parametrize(
    ("permission", "scope"),
    [("messaging.read", "#"), ("network", "*"), ("filesystem.read", "/"), ("history", "#")],
)
def test_to_want_everything_is_noticed(permission: str, scope: str) -> None:
    assert is_everything(Catalogue()[permission], scope)
    assert not is_everything(Catalogue()[permission], "something")


def test_the_configuration_speaks_in_its_own_words() -> None:
    entry = PermissionEntry(
        name="own.one", title="T", statement="{app} will {x}.", detail="{app}?", risk="low",
        scope="word", enforced_by="shell",
    )  # fmt: skip
    german = language_for("de")
    assert permission_title(german, entry) == "T"
    assert permission_statement(german, entry, "Ticker") == "Ticker will {x}."
    assert permission_detail(german, entry, "Ticker") == "Ticker?"


def test_a_duration_that_is_not_known_stays_as_it_is() -> None:
    assert hold_words(english(), "session") == "While it runs"
    assert hold_words(english(), "forever") == "forever"
