"""Every requirement that the product claims has a test that names it."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
MARK = re.compile(r'requirement\("([^"]+)"\)')

ALL = [
    *(f"1.{n}" for n in range(1, 7)),
    *(f"2.{n}" for n in range(1, 6)),
    *(f"3.{n}" for n in range(1, 6)),
    *(f"4.{n}" for n in range(1, 6)),
    *(f"5.{n}" for n in range(1, 6)),
    *(f"6.{n}" for n in range(1, 6)),
    *(f"7.{n}" for n in range(1, 6)),
    *(f"8.{n}" for n in range(1, 6)),
    "C",
    "F",
    "W",
]

NOT_CLAIMED_YET: set[str] = set()
"""Also listed in the README as what is not there; a number leaves this set with its first test."""


def test_every_claimed_requirement_is_proven_by_a_test_that_names_it() -> None:
    named = {
        number
        for path in TESTS.rglob("test_*.py")
        for number in MARK.findall(path.read_text("utf-8"))
    }
    assert named <= set(ALL)
    assert set(ALL) - named == NOT_CLAIMED_YET
