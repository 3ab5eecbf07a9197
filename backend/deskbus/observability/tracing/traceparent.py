"""W3C Trace Context, level 1: the `traceparent` of a call or message."""

import re
from typing import NamedTuple

from deskbus_protocol.pattern import whole

SAMPLED = 1
_TRACEPARENT = re.compile(
    whole(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
)


class RemoteParent(NamedTuple):
    """The span that a call or message came from; ids are lower-case hex."""

    trace_id: str
    span_id: str
    sampled: bool


def parse(text: str) -> RemoteParent | None:
    """None for what is no traceparent; version 00 ends with the flags, later ones may go on."""
    found = _TRACEPARENT.match(text)
    if found is None or (text.startswith("00") and found[4]):
        return None
    return RemoteParent(found[1], found[2], bool(int(found[3], 16) & SAMPLED))


def traceparent(trace_id: str, span_id: str) -> str:
    """The header of a sampled trace."""
    return f"00-{trace_id}-{span_id}-01"
