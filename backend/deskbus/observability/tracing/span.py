"""Span: one step of a trace."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

SpanKind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool


class Span(NamedTuple):
    """Ids are lower-case hex, 32 and 16 digits; times are Unix nanoseconds.

    `error` is the category of an error, "" for none. `parent_id` is "" for the first of a trace.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]
    error: str = ""
