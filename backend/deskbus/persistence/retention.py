"""Which segments are kept: pure, time comes in as an argument."""

from collections.abc import Sequence

import msgspec

from deskbus.persistence.index import SegmentIndex
from deskbus.persistence.segment import SEGMENT_BYTES

MAX_SEGMENTS = 100
MAX_AGE_MS = 30 * 24 * 60 * 60 * 1000


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of the log; whichever is reached first counts."""

    max_segments: int = MAX_SEGMENTS
    max_age_ms: int = MAX_AGE_MS
    max_bytes: int = MAX_SEGMENTS * SEGMENT_BYTES


def expired(segments: Sequence[SegmentIndex], retention: Retention, now_ms: int) -> int:
    """How many of the oldest segments are to go; the newest goes by age alone."""
    size_bytes = sum(segment.size_bytes for segment in segments)
    for number, segment in enumerate(segments):
        left = len(segments) - number
        too_many = left > retention.max_segments or size_bytes > retention.max_bytes
        too_old = segment.last_ms is not None and segment.last_ms < now_ms - retention.max_age_ms
        if not too_old and (left == 1 or not too_many):
            return number
        size_bytes -= segment.size_bytes
    return len(segments)
