"""The pattern trie finds exactly what a comparison with every pattern finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.bus.trie import PatternTrie
from deskbus_protocol.topics import matches

LEVELS = st.sampled_from(["a", "b", "c"])
PATTERNS = (
    st.lists(LEVELS | st.sampled_from(["*", "#"]), min_size=1, max_size=5)
    .map(".".join)
    .filter(lambda pattern: "#.#" not in pattern)
)
TOPICS = st.lists(LEVELS, min_size=1, max_size=5).map(".".join)


@pytest.mark.requirement("1.2")
@given(st.lists(PATTERNS, max_size=30), st.lists(PATTERNS, max_size=10), TOPICS)
def test_a_topic_finds_the_patterns_that_brute_force_finds(
    patterns: list[str], removed: list[str], topic: str
) -> None:
    trie: PatternTrie[str] = PatternTrie()
    for pattern in patterns:
        trie.add(pattern, pattern)
    for pattern in removed:
        trie.remove(pattern, pattern)
    kept = set(patterns) - set(removed)
    assert trie.match(topic) == {pattern for pattern in kept if matches(pattern, topic)}


@pytest.mark.requirement("1.2")
def test_a_hostile_pattern_keeps_the_set_of_possible_places_small() -> None:
    trie: PatternTrie[str] = PatternTrie()
    trie.add(".".join(["#", "a"] * 60), "hostile")
    assert trie.match(".".join(["a"] * 127)) == {"hostile"}
    assert trie.match(".".join(["a"] * 126 + ["b"])) == set()
