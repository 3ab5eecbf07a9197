"""The index leads to every batch that may hold an answer, and keeps little for it."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.log.batch import BatchHead, TopicRange
from deskbus.persistence.log.segment_index import (
    MAX_EXTENT_BYTES,
    MAX_RUN_TOPICS,
    MAX_SEGMENT_TOPICS,
    RUN_BYTES,
    SegmentIndex,
    TopicSets,
)
from deskbus.persistence.log.selection import Selection

TOPICS = ["a", "b", "c"]


def head(
    position: int, first_ms: int, last_ms: int, body_bytes: int, messages: int = 1
) -> BatchHead:
    return BatchHead(0, messages, first_ms, last_ms, position, 0, body_bytes, 0)


def empty() -> SegmentIndex:
    return SegmentIndex(Path("x.seg"), 0, TopicSets())


def table(*topics: str) -> dict[str, TopicRange]:
    return {topic: TopicRange(1, 1, 1) for topic in topics}


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(TOPICS), min_size=1),
            st.integers(0, 20),
            st.integers(0, 5),
            st.integers(1, RUN_BYTES),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.integers(0, 25),
    st.integers(0, 25),
    st.integers(0, 30),
    st.sets(st.sampled_from(TOPICS)),
)
def test_every_batch_that_fits_is_within_what_is_to_be_read(
    batches: list[tuple[set[str], int, int, int, bool]],
    from_ms: int,
    to_ms: int,
    from_position: int,
    wanted: set[str],
) -> None:
    index = empty()
    query = LogQuery(
        from_ms=from_ms, to_ms=to_ms, from_position=from_position, wants=wanted.__contains__
    )
    selection = Selection(query, len(batches))
    offset = 0
    needed = set()
    for position, (topics, first_ms, lasts_ms, size, damaged) in enumerate(batches):
        offset += 7 if damaged else 0
        found = head(position, first_ms, first_ms + lasts_ms, size)
        index.add(offset, found, table(*topics))
        if selection.may_hold_batch(found) and topics & wanted:
            needed.add(offset)
        offset += found.size_bytes
    extents = list(index.find(selection))
    assert all(
        any(extent.offset <= at < extent.offset + extent.length for extent in extents)
        for at in needed
    )
    ends = [extent.offset + extent.length for extent in extents]
    assert all(end < after.offset for end, after in zip(ends, extents[1:], strict=False)) or (
        max((extent.length for extent in extents), default=0) >= MAX_EXTENT_BYTES
    )


def test_many_small_batches_make_few_runs_and_bounded_reads() -> None:
    index = empty()
    offset = 0
    for position in range(20_000):
        found = head(position, position, position, 500)
        index.add(offset, found, table("a"))
        offset += found.size_bytes
    assert len(index.runs) <= offset // RUN_BYTES + 1
    everything = list(index.find(Selection(LogQuery(), 20_000)))
    assert sum(extent.length for extent in everything) == offset == index.size_bytes
    assert max(extent.length for extent in everything) <= MAX_EXTENT_BYTES + RUN_BYTES + 1000
    (extent,) = index.find(Selection(LogQuery(from_ms=10_000, to_ms=10_001), 20_000))
    assert extent.length <= RUN_BYTES + 1000


def test_a_run_with_very_many_topics_is_always_looked_into() -> None:
    index = empty()
    for position in range(MAX_SEGMENT_TOPICS + 1):
        index.add(position * 57, head(position, 1, 1, 1), table(f"t{position}"))
        if position == MAX_RUN_TOPICS - 1:
            assert not list(index.find(Selection(LogQuery(wants="other".__eq__), 10_000)))
    assert index.topics is None
    assert list(index.find(Selection(LogQuery(wants="other".__eq__), 10_000)))


def test_the_same_topics_are_kept_once() -> None:
    sets = TopicSets()
    assert sets.shared(frozenset(["a", "b"])) is sets.shared(frozenset(["b", "a"]))
    for number in range(MAX_SEGMENT_TOPICS * 2):
        sets.shared(frozenset([f"t{number}"]))


def test_an_empty_segment_holds_nothing() -> None:
    assert list(empty().find(Selection(LogQuery(), 10))) == []
