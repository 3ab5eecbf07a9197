"""Statements about health are English for tools, and have keys for everybody else."""

from deskbus.languages.health_words import english_words, other, phrase, told
from deskbus.languages.language import language_for
from deskbus_protocol.errors import ERRORS
from deskbus_protocol.health import ComponentHealth, Phrase


def test_a_component_tells_its_health_in_english_and_by_keys() -> None:
    health = told("degraded", phrase("disk-full"), phrase("messages-wait", count=1200))
    assert health == ComponentHealth(
        status="degraded",
        detail="the disk is full; 1,200 messages wait in memory",
        phrases=[Phrase(key="disk-full"), Phrase(key="messages-wait", values={"count": 1200})],
    )


def test_words_without_a_key_stay_as_they_are() -> None:
    assert english_words(other("Stale file handle {x}")) == "Stale file handle {x}"


def test_every_row_of_the_table_of_errors_has_its_words_in_other_languages() -> None:
    german = language_for("de")
    for name, row in ERRORS.items():
        words = german.text(f"page.control.error.{name}")
        assert words not in ("", row.message)
        assert german.text(f"page.control.error.{name}.action") not in ("", row.action)
