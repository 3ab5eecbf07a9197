"""Old segments go by count, size and age, whichever is first; the newest by age alone."""

from pathlib import Path

import pytest

from deskbus.persistence.log.retention import (
    MAX_AGE_MS,
    MAX_SEGMENTS,
    LogRetention,
    expired,
    vouched_ms,
)
from deskbus.persistence.log.segment import SEGMENT_BYTES
from deskbus.persistence.log.segment_index import SegmentIndex, TopicSets

NOW_MS = 2 * MAX_AGE_MS


def segments(*last_ms: int | None, size_bytes: int = 100) -> list[SegmentIndex]:
    found = []
    for time in last_ms:
        index = SegmentIndex(Path("x.seg"), 0, TopicSets())
        index.last_ms = time
        index.size_bytes = size_bytes
        found.append(index)
    return found


@pytest.mark.requirement("2.3")
@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        (LogRetention(), 0),
        (LogRetention(max_segments=3), 2),
        (LogRetention(max_bytes=250), 3),
        (LogRetention(max_bytes=499), 1),
        (LogRetention(max_segments=4, max_bytes=300), 2),
        (LogRetention(max_segments=0), 4),
        (LogRetention(max_bytes=0), 4),
    ],
)
def test_the_oldest_go_until_what_is_left_fits(limits: LogRetention, gone: int) -> None:
    assert expired(segments(*[NOW_MS] * 5), limits, NOW_MS) == gone


@pytest.mark.requirement("2.3")
def test_what_is_older_than_thirty_days_goes() -> None:
    old = NOW_MS - MAX_AGE_MS
    assert expired(segments(old - 1, old, NOW_MS), LogRetention(), NOW_MS) == 1
    assert expired(segments(old - 2, old - 1), LogRetention(), NOW_MS) == 2
    assert expired(segments(None, NOW_MS), LogRetention(), NOW_MS) == 0
    assert expired([], LogRetention(), NOW_MS) == 0


@pytest.mark.requirement("2.3")
def test_the_limits_are_a_hundred_files_of_ten_megabytes() -> None:
    assert (MAX_SEGMENTS, SEGMENT_BYTES, LogRetention().max_segments) == (100, 10_000_000, 100)


@pytest.mark.requirement("W")
@pytest.mark.parametrize("ahead_ms", [60 * 60 * 1000, 40 * 24 * 60 * 60 * 1000])
def test_a_clock_that_is_ahead_at_a_start_makes_nothing_old(ahead_ms: int) -> None:
    started_ms, ran_ms = NOW_MS + ahead_ms, 5_000
    assert vouched_ms(started_ms + ran_ms, started_ms, NOW_MS) == NOW_MS + ran_ms


@pytest.mark.requirement("W")
def test_what_a_clock_that_was_behind_has_stamped_is_no_older_than_what_lies_before_it() -> None:
    """A day of messages under a clock forty days back, then one under the right clock again."""
    behind = NOW_MS - 40 * 24 * 60 * 60 * 1000
    assert expired(segments(NOW_MS - 1, behind, behind, NOW_MS), LogRetention(), NOW_MS) == 0
