"""Files that a person writes: every error names its line, its cause and what to do."""

import tracemalloc
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest

from deskbus.storage import handwritten_file
from deskbus.storage.handwritten_file import HandwrittenFile, HandwrittenFileError


class Door(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[
        str, msgspec.Meta(pattern="^[a-z]+$", extra_json_schema={"examples": ["front"]})
    ]
    state: Literal["open", "shut"] = "shut"


class Home(msgspec.Struct, forbid_unknown_fields=True):
    doors: list[Door] = []
    colour: str = ""


def refusal(text: str | bytes) -> HandwrittenFileError:
    content = text.encode() if isinstance(text, str) else text
    written = HandwrittenFile(Path("home.toml"), Home)
    with pytest.raises(HandwrittenFileError) as refused:
        written.read_json(content) if content[:1] == b"{" else written.read_toml(content)
    return refused.value


@pytest.mark.requirement("6.5")
@pytest.mark.parametrize(
    ("text", "cause", "action"),
    [
        (
            'colour = "red"\ncolur = 1\n',
            "home.toml:2: colur: There is no such key.",
            "Did you mean colour?",
        ),
        (
            '[[doors]]\nname = "a"\n\n[[doors]]\nstate = "open"\n',
            "home.toml:4: doors[1]: name is missing.",
            "Add name there.",
        ),
        (
            '[[doors]]\nname = "a"\nstate = "opne"\n',
            "home.toml:3: doors[0].state: opne is none of the values that there are.",
            "Did you mean open?",
        ),
        (
            '[[doors]]\nname = "A"\n',
            "home.toml:2: doors[0].name: The text does not have the right form.",
            'Write it as in "front".',
        ),
        ("colour = 1\n", "home.toml:1: colour: Expected `str`, got `int`.", "Correct the value."),
        (
            '{"doors": [\n {"name": "a"},\n {"name": "b",\n  "sate": "open"}]}',
            "home.toml:4: doors[1].sate: There is no such key.",
            "Did you mean state?",
        ),
        (
            '{"doors": [\n {"name": "a",\n  "": [1, 2]}]}',
            "home.toml:2: doors[0]: Object contains unknown field ``.",
            "Correct the value.",
        ),
    ],
)
def test_an_error_says_where_why_and_what_to_do(text: str, cause: str, action: str) -> None:
    refused = refusal(text)
    assert (refused.cause, refused.action) == (cause, action)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"colour = 'a'\n= 1\n", 2),
        (b'{"colour":\n\n oops}', 3),
        (b"colour = 'a'\n# \xff\n", 2),
    ],
)
def test_a_text_that_is_no_toml_json_or_utf_8_is_refused_in_its_line(
    content: bytes, line: int
) -> None:
    assert refusal(content).cause.startswith(f"home.toml:{line}: It is not ")


def test_depth_is_refused_rather_than_followed() -> None:
    assert "nested too deeply" in refusal("doors = " + "[" * 100_000).cause


def test_a_later_check_finds_the_line_of_a_key_by_its_place() -> None:
    written = HandwrittenFile(Path("home.toml"), Home)
    written.read_toml(b'colour = "x"\n[[doors]]\nname = "a"\n[[doors]]\nname = "b"\n')
    assert [written.line_of(f"doors[{nth}].name") for nth in range(2)] == [3, 5]
    assert written.line_of("colour") == 1
    assert "home.toml:5: doors[1].name: taken." in str(
        written.error("doors[1].name", "taken", "Go.")
    )


def test_the_line_after_a_long_text_costs_no_more_memory_than_a_few_such_texts() -> None:
    long = "\\\\x\\n" * 100_000
    tracemalloc.start()
    try:
        error = refusal(f'{{"colour": "{long}",\n "colur": 1}}')
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.cause.startswith("home.toml:2: ")
    assert peak_bytes < 12 * len(long)


def test_lines_are_not_looked_for_where_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: str) -> dict[str, int]:
        raise AssertionError("a line was looked for")

    monkeypatch.setattr(handwritten_file, "_places", never)
    assert HandwrittenFile(Path("home.json"), Home).read_json(b'{"colour": "red"}') == Home(
        colour="red"
    )
