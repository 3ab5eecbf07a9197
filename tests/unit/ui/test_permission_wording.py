"""Permissions in words for a person who does not know what a topic is."""

import pytest

from deskbus.ui.permission_wording import choices, describe
from deskbus_protocol.catalogue import BUILT_IN, Catalogue
from deskbus_protocol.permissions import PermissionEntry

pytestmark = pytest.mark.requirement("3.1")


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)
def test_every_permission_is_told_in_plain_words(entry: PermissionEntry) -> None:
    words = describe("Ticker", entry, "desk.feed")
    assert words.statement.startswith("Ticker wants to")
    assert words.statement.endswith(".")
    assert words.detail.endswith(".")
    assert words.scope
    assert "{app}" not in words.statement + words.detail


@pytest.mark.parametrize(
    ("permission", "scope", "words"),
    [
        ("messaging.read", "#", "Every topic of every app"),
        ("messaging.read", "prices.#", "Everything under prices"),
        ("messaging.read", "prices.EURUSD", "The topic prices.EURUSD"),
        ("messaging.read", "prices.*.bid", "Every topic of the form prices.*.bid"),
        ("app.send", "desk.feed", "The app desk.feed"),
        ("filesystem.read", "/", "Every file on this computer"),
        ("network", "https://*.a.de", "Every site under a.de"),
        ("network", "http://a.de", "The site a.de (not encrypted)"),
        ("network", "*", "Every site"),
    ],
)
def test_scopes_are_told_in_words(permission: str, scope: str, words: str) -> None:
    assert describe("Ticker", Catalogue()[permission], scope).scope == words


@pytest.mark.parametrize(
    ("permission", "scope"),
    [("messaging.read", "#"), ("network", "*"), ("filesystem.read", "/"), ("history", "#")],
)
def test_to_want_everything_is_a_high_risk(permission: str, scope: str) -> None:
    assert describe("Ticker", Catalogue()[permission], scope).risk == "high"


def test_where_an_administrator_wants_a_person_asked_each_time_nothing_lasts() -> None:
    assert [choice.id for choice in choices(may_remember=False)] == ["once", "session"]
    assert [choice.id for choice in choices(may_remember=True)] == [
        *("once", "session", "month", "always")
    ]
