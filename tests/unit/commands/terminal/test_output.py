"""Results of commands: the same JSON on a pipe, tables on a terminal, nothing that moves one."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from deskbus.commands.terminal.output import facts_of, json_line, lines_of, table_of
from deskbus_protocol.wording.display import visible

HIDDEN = "".join(map(chr, (*range(32), *range(127, 160), 0x202E, 0x2066, 0x200F, 0xFEFF)))


@given(st.recursive(st.text() | st.integers(-(2**53), 2**53) | st.none(), st.lists))
def test_a_line_of_json_says_the_same_and_moves_no_terminal(value: object) -> None:
    line = json_line({"value": value, "hidden": HIDDEN})
    assert json.loads(line) == {"value": value, "hidden": HIDDEN}
    assert not set(HIDDEN) & set(line.rstrip("\n"))
    assert line.count("\n") == 1


def test_json_that_a_peer_laid_out_stays_one_line_with_its_numbers_as_they_were() -> None:
    laid_out = Raw(b'{\r\n\t"n": 1.10, "big": 123456789012345678901234567890,\r "t": "\\u001b"}')
    line = json_line(laid_out)
    assert "1.10" in line
    assert "123456789012345678901234567890" in line
    assert not {"\r", "\t"} & set(line)


def test_a_table_writes_control_characters_out_and_fits_its_width() -> None:
    table = table_of([{"app": HIDDEN, "state": "x" * 300}, {"app": "日本", "state": "ok"}])
    for line in lines_of(table, 60):
        assert not set(HIDDEN) & set(line)
        assert len(line) <= 60


@pytest.mark.parametrize("value", [{}, [], {"a": [1]}, "text", 1, [1, {"a": 2}], None])
def test_every_result_has_a_table(value: object) -> None:
    assert isinstance(lines_of(table_of(value), 80), list)


@example("\xa0", 1)
@given(st.text(st.characters(categories=["L", "Nd", "Zs"])), st.integers(1, 120))
def test_a_fact_is_told_in_whole_however_narrow_the_terminal(words: str, width: int) -> None:
    lines = facts_of([["!", "keychain", words], ["", "locale", "UTF-8"]], width)
    told = "".join(lines).removeprefix("!").replace(" ", "")
    assert told == visible_letters("keychain" + words + "localeUTF-8")


def visible_letters(text: str) -> str:
    return visible(text).replace(" ", "")


def test_facts_go_on_below_themselves_within_the_terminal() -> None:
    lines = facts_of([["!", "keychain", "none is reachable; a master password helps"]], 40)
    assert lines == ["!  keychain  none is reachable; a master", "             password helps"]
