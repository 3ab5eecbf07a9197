"""Topics and patterns as NATS subjects: reversible, and never narrower than our own matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.federation.nats_subjects import (
    LIVE,
    PERSISTED,
    Address,
    address_of,
    brings,
    encode_topic,
    filters_of,
    subject_of,
    widest,
)
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.topics import check_pattern, check_topic, matches


def is_topic(name: str) -> bool:
    try:
        check_topic(name)
    except DeskbusError:
        return False
    return True


def is_pattern(name: str) -> bool:
    try:
        check_pattern(name)
    except DeskbusError:
        return False
    return True


# Letter by letter, or more is thrown away than hypothesis puts up with.
LETTERS = st.one_of(st.sampled_from("abz09_-~% >$+é€"), st.characters().filter(is_topic))
LEVELS = st.text(LETTERS, min_size=1, max_size=5).filter(is_topic)
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map(".".join).filter(is_topic)
FEW = st.sampled_from(["a", "b", "ü x", ">"])
FEW_TOPICS = st.lists(FEW, min_size=1, max_size=5).map(".".join)
FEW_PATTERNS = (
    st.lists(st.one_of(FEW, st.sampled_from("*#")), min_size=1, max_size=5)
    .map(".".join)
    .filter(is_pattern)
)


@given(TOPICS)
def test_a_topic_comes_back_from_its_subject(topic: str) -> None:
    subject = subject_of("deskbus", PERSISTED, "desk-a", topic)
    assert address_of("deskbus", subject) == Address("p", "desk-a", topic)


@given(TOPICS)
def test_a_subject_has_only_what_nats_takes_and_a_token_for_each_level(topic: str) -> None:
    encoded = encode_topic(topic)
    assert encoded.isascii()
    assert not set(encoded) & set(" *>\r\n\t$")
    assert encoded.count(".") == topic.count(".")
    assert "" not in encoded.split(".")


@given(TOPICS, TOPICS)
def test_two_topics_have_two_subjects(one: str, other: str) -> None:
    assert (encode_topic(one) == encode_topic(other)) == (one == other)


@given(FEW_PATTERNS, FEW_TOPICS)
def test_filters_bring_all_that_matches_and_none_twice(pattern: str, topic: str) -> None:
    subject = subject_of("deskbus", LIVE, "desk-a", topic)
    found = sum(brings(each, subject) for each in filters_of("deskbus", LIVE, pattern))
    assert found <= 1
    assert found >= matches(pattern, topic)


@given(FEW_PATTERNS.filter(lambda p: "#" not in p.split(".")[:-1]), FEW_TOPICS)
def test_filters_are_exact_where_the_many_wildcard_is_at_the_end(pattern: str, topic: str) -> None:
    subject = subject_of("deskbus", LIVE, "desk-a", topic)
    found = any(brings(each, subject) for each in filters_of("deskbus", LIVE, pattern))
    # `#` alone means every topic, and every topic has a level.
    assert found == matches(pattern, topic)


@given(st.lists(FEW_PATTERNS, min_size=1, max_size=3), FEW_TOPICS)
def test_the_widest_filter_brings_what_any_brings(patterns: list[str], topic: str) -> None:
    subject = subject_of("deskbus", PERSISTED, "desk-a", topic)
    filters = [each for p in patterns for each in filters_of("deskbus", PERSISTED, p)]
    if any(brings(each, subject) for each in filters):
        assert brings(widest(filters), subject)


def test_filters_of_some_patterns() -> None:
    assert filters_of("d", LIVE, "prices.*.bid") == ["d.c.*.prices.*.bid"]
    assert filters_of("d", LIVE, "prices.#") == ["d.c.*.prices", "d.c.*.prices.>"]
    assert filters_of("d", LIVE, "#") == ["d.c.*.>"]
    assert filters_of("d", LIVE, "a.#.b") == ["d.c.*.a.>"]
    assert widest(["d.p.*.a.b", "d.p.*.a.c"]) == "d.p.*.a.>"
    assert widest(["d.p.*.a", "d.p.*.a.>"]) == "d.p.*.>"


@pytest.mark.parametrize(
    "subject",
    [
        "other.c.desk-a.prices",
        "deskbus.c.desk-a",
        "deskbus",
        "deskbus.c.desk-a.%41",
        "deskbusx.c.a.b",
    ],
)
def test_a_subject_that_is_not_ours_is_refused(subject: str) -> None:
    with pytest.raises(ValueError):
        address_of("deskbus", subject)
