"""Names that a person reads can't hide what they say, nor pass for another's."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus_protocol.wording.display import look_alike, visible

pytestmark = pytest.mark.requirement("3.1")


@given(st.text())
def test_nothing_invisible_is_left_in_a_visible_text(text: str) -> None:
    shown = visible(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp") for char in shown)
    assert visible(shown) == shown


def test_every_character_that_shows_nothing_is_written_out_and_no_other() -> None:
    blank = {*"\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"}
    selectors = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
    # The planes between hold nothing, or ideographs.
    for code in (*range(0x20000), *range(0xE0000, 0xE0200)):
        char = chr(code)
        hidden = unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert (visible(char) != char) == (hidden or char in blank or code in selectors), hex(code)


def test_ordinary_text_stays_as_it_is() -> None:
    assert visible("Größe – 日本語 ✓") == "Größe – 日本語 ✓"


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u200b", "\u2066", "\u3164", "\ufe0f", "\u034f", "\x1b"]
)
def test_what_shows_nothing_is_written_out(hidden: str) -> None:
    assert visible(f"a{hidden}b") == f"a\\u{{{ord(hidden):x}}}b"


@pytest.mark.parametrize(
    ("app", "other"),
    [
        ("com.example.feed0", "com.example.feedo"),
        ("com.paypa1.pay", "com.paypal.pay"),
        ("com.exarnple.feed", "com.example.feed"),
        ("com.ex-ample.feed", "com.example.feed"),
        ("com.vvidget.a", "com.widget.a"),
    ],
)
def test_ids_that_look_alike_are_told(app: str, other: str) -> None:
    assert look_alike(app, ["com.unlike.it", other]) == other


def test_an_id_does_not_look_like_itself_or_like_others() -> None:
    assert look_alike("desk.feed", ["desk.feed", "desk.blotter", "demo.feed"]) is None
