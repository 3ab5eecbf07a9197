"""The error table: every error has a code, a category and an action, and tells no internals."""

import msgspec
import pytest

from deskbus_protocol.errors import (
    CATEGORIES,
    ERRORS,
    INTERNAL_ERROR,
    TIMEOUT,
    DeskbusError,
    ErrorObject,
)


@pytest.mark.requirement("6.5")
@pytest.mark.parametrize("name", ERRORS)
def test_every_row_has_a_category_a_message_and_an_action(name: str) -> None:
    row = ERRORS[name]
    assert row.category in CATEGORIES
    assert row.message.endswith(".")
    assert row.action.endswith((".", "wanted."))


@pytest.mark.requirement("6.5")
def test_codes_are_unique_and_ours_start_at_minus_32010() -> None:
    codes = [row.code for row in ERRORS.values()]
    assert len(set(codes)) == len(codes)
    assert max(code for code in codes if code < -32000 and code > -32100) == -32010


def test_an_error_survives_the_wire() -> None:
    sent = DeskbusError(TIMEOUT, "Too slow.", action="Wait.", correlation_id="c-1")
    read = DeskbusError.from_object(sent.to_object())
    assert (read.kind, read.message, read.action) == (TIMEOUT, "Too slow.", "Wait.")
    assert read.correlation_id == "c-1"


@pytest.mark.parametrize("data", [b"null", b"[1]", b'{"category":"nonsense"}'])
def test_a_foreign_error_is_read_as_far_as_it_makes_sense(data: bytes) -> None:
    read = DeskbusError.from_object(ErrorObject(-1, "Theirs.", msgspec.Raw(data)))
    assert (read.kind, read.message) == (INTERNAL_ERROR, "Theirs.")
