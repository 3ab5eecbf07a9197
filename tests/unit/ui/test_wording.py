"""Words that a person reads can't be made to hide or turn around what they say."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.ui.wording import describe, visible
from deskbus_protocol.permissions import Grant


@pytest.mark.requirement("3.1")
@given(st.text())
def test_nothing_invisible_is_left_in_a_visible_text(text: str) -> None:
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp") for char in visible(text))


def test_ordinary_text_stays_as_it_is() -> None:
    assert visible("Größe – 日本語 ✓") == "Größe – 日本語 ✓"


@pytest.mark.requirement("3.1")
@pytest.mark.parametrize("permission", ["messaging.read", "messaging.write", "app.send", "secrets"])
def test_every_permission_is_told_in_plain_words(permission: str) -> None:
    words = describe("Ticker", Grant(permission, "desk.feed"))
    assert words.statement.startswith("Ticker wants to")
    assert words.detail.endswith(".")


def test_asking_for_everything_is_told_as_a_high_risk() -> None:
    words = describe("Ticker", Grant("messaging.read", "#"))
    assert words.risk == "high"
    assert "every app" in words.statement
