"""Retention of segments: pure, time comes in as an argument."""

from collections.abc import Sequence

import msgspec

from deskbus.persistence.log.segment import SEGMENT_BYTES
from deskbus.persistence.log.segment_index import SegmentIndex

MAX_SEGMENTS = 100
MAX_AGE_MS = 30 * 24 * 60 * 60 * 1000


class LogRetention(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the log; whichever is reached first counts."""

    max_segments: int = MAX_SEGMENTS
    max_age_ms: int = MAX_AGE_MS
    max_bytes: int = MAX_SEGMENTS * SEGMENT_BYTES


def vouched_ms(now_ms: int, opened_at_ms: int, newest_ms: int | None) -> int:
    """The time (Unix ms) as far as the log vouches for it.

    It had `newest_ms` as its newest message when it was opened, and time has passed since. A clock
    that is ahead at a start makes nothing old; a pause counts from the next start on.
    """
    return now_ms if newest_ms is None else min(now_ms, newest_ms + now_ms - opened_at_ms)


def expired(segments: Sequence[SegmentIndex], retention: LogRetention, now_ms: int) -> int:
    """The number of the oldest segments to remove; the newest is removed by age alone.

    None is older than what lies before it, whatever the clock was when it was written.
    """
    size_bytes = sum(segment.size_bytes for segment in segments)
    written_ms = 0
    for number, segment in enumerate(segments):
        left = len(segments) - number
        too_many = left > retention.max_segments or size_bytes > retention.max_bytes
        written_ms = max(written_ms, segment.last_ms or 0)
        too_old = segment.last_ms is not None and written_ms < now_ms - retention.max_age_ms
        if not too_old and (left == 1 or not too_many):
            return number
        size_bytes -= segment.size_bytes
    return len(segments)
