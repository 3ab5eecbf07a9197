"""Topics and patterns: the grammar, matching, and when one pattern covers another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.topics import check_pattern, check_topic, covers, literal_start, matches

LEVELS = st.sampled_from(["a", "b", "cc"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=6).map(".".join)
PATTERNS = st.lists(st.one_of(LEVELS, st.sampled_from(["*", "#"])), min_size=1, max_size=6).map(
    ".".join
)


def brute_force(pattern: str, topic: str) -> bool:
    """The definition, written as recursion over levels."""

    def fits(want: list[str], have: list[str]) -> bool:
        if not want:
            return not have
        if want[0] == "#":
            return any(fits(want[1:], have[n:]) for n in range(len(have) + 1))
        return bool(have) and want[0] in ("*", have[0]) and fits(want[1:], have[1:])

    return fits(pattern.split("."), topic.split("."))


@pytest.mark.requirement("1.2")
@given(PATTERNS, TOPICS)
def test_matching_equals_the_definition(pattern: str, topic: str) -> None:
    assert matches(pattern, topic) == brute_force(pattern, topic)


@pytest.mark.requirement("1.2")
@pytest.mark.parametrize(
    ("pattern", "topic", "fits"),
    [
        ("prices.*", "prices.EURUSD", True),
        ("prices.*", "prices", False),
        ("prices.*", "prices.fx.EURUSD", False),
        ("prices.#", "prices", True),
        ("prices.#", "prices.fx.EURUSD", True),
        ("#", "anything.at.all", True),
        ("#.end", "end", True),
        ("a.#.z", "a.b.c.z", True),
        ("a.#.z", "a.b.c", False),
        ("a.b", "aXb", False),
        ("prices.EUR+", "prices.EURR", False),
    ],
)
def test_wildcards_stand_for_levels_and_nothing_is_a_regular_expression(
    pattern: str, topic: str, fits: bool
) -> None:
    assert matches(pattern, topic) is fits


@pytest.mark.requirement("3.2")
@given(PATTERNS, PATTERNS, TOPICS)
def test_a_pattern_that_covers_another_matches_all_that_the_other_matches(
    wide: str, narrow: str, topic: str
) -> None:
    if covers(wide, narrow) and matches(narrow, topic):
        assert matches(wide, topic)


@given(PATTERNS)
def test_every_pattern_covers_itself_and_is_covered_by_all(pattern: str) -> None:
    assert covers(pattern, pattern)
    assert covers("#", pattern)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("prices.#", "prices.*", True),
        ("prices.#", "prices.fx.#", True),
        ("prices.*", "prices.#", False),
        ("prices.#", "#", False),
        ("*.#", "#.*", True),
        ("a.*", "a.b", True),
        ("a.b", "a.*", False),
    ],
)
def test_covering_is_told_for_common_pairs(wide: str, narrow: str, expected: bool) -> None:
    assert covers(wide, narrow) is expected


@pytest.mark.requirement("1.2")
def test_a_hostile_pattern_costs_linear_time() -> None:
    pattern = ".".join(["#", "a"] * 60) + ".b"
    assert not matches(pattern, ".".join(["a"] * 120))


@pytest.mark.parametrize(
    "name", ["", ".", "a.", ".a", "a..b", "a\x00b", "a\nb", "x" * 257, "é" * 129]
)
def test_a_malformed_name_is_refused_as_topic_and_as_pattern(name: str) -> None:
    for check in (check_topic, check_pattern):
        with pytest.raises(DeskbusError) as refused:
            check(name)
        assert refused.value.kind.name == "invalid_topic"


@pytest.mark.parametrize("name", ["a.*", "#", "a*b"])
def test_a_topic_has_no_wildcards(name: str) -> None:
    with pytest.raises(DeskbusError):
        check_topic(name)


@pytest.mark.parametrize("pattern", ["a*", "*a.b", "a.##", "a.#b", "a.#.#", ".".join("*" * 9)])
def test_wildcards_stand_alone_once_and_are_few(pattern: str) -> None:
    with pytest.raises(DeskbusError):
        check_pattern(pattern)


@pytest.mark.parametrize("name", ["a", "a.b.c", "prices.EUR/USD", "ünïcode.täg", "x" * 256])
def test_a_sound_name_is_accepted(name: str) -> None:
    check_topic(name)
    check_pattern(name)


@pytest.mark.parametrize(
    ("pattern", "start"),
    [("a.b", "a.b"), ("a.b.#", "a.b"), ("a.*.b", "a"), ("#", ""), ("*.a", "")],
)
def test_every_topic_that_fits_begins_with_the_levels_before_a_wildcard(
    pattern: str, start: str
) -> None:
    assert literal_start(pattern) == start
