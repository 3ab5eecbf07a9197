"""`traces.*`: recent traces of messages and calls, and the spans that clients add to them."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Method, Params, Result
from deskbus_protocol.pattern import whole

TraceId = Annotated[str, Meta(pattern=whole("[0-9a-f]{32}"), max_length=32)]
SpanId = Annotated[str, Meta(pattern=whole("[0-9a-f]{16}"), max_length=16)]
Micros = Annotated[int, Meta(ge=0, le=1 << 53)]
SpanKind = Literal["internal", "server", "client", "producer", "consumer"]

MAX_RECORDED = 64
"""Spans in one call of `traces.record`."""


class TracingTerms(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The sampling that a client does by itself: a share of what it sends, and all of some topics,
    but no more than `max_per_s` a second.

    A sampled message goes out with a `traceparent` (W3C Trace Context) whose flags are 01, and the
    client tells its own spans by `traces.record`.
    """

    ratio: float
    topics: list[str]
    max_per_s: int


class ClientSpan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A step within a client, of a trace that is sampled. Times are Unix microseconds.

    `error` is the category of an error, or a word of the client's own.
    """

    trace_id: TraceId
    span_id: SpanId
    parent_id: SpanId | UnsetType = UNSET
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    kind: SpanKind = "internal"
    start: Micros
    end: Micros
    topic: Annotated[str, Meta(max_length=256)] | UnsetType = UNSET
    error: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET


class RecordSpansParams(Params, frozen=True, kw_only=True):
    spans: Annotated[list[ClientSpan], Meta(min_length=1, max_length=MAX_RECORDED)]


class RecordSpansResult(Result, frozen=True, kw_only=True):
    """Nothing is taken while tracing is off."""

    taken: int


class TracesQueryParams(Params, frozen=True, kw_only=True):
    """A member that is left out does not narrow. `since` and `until` are Unix milliseconds,
    `min_duration` milliseconds; `error` asks for traces with an error, or where false without.
    """

    trace_id: TraceId | UnsetType = UNSET
    correlation_id: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    app: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    topic: Annotated[str, Meta(min_length=1, max_length=256)] | UnsetType = UNSET
    min_duration: Annotated[float, Meta(ge=0)] = 0.0
    error: bool | UnsetType = UNSET
    since: Annotated[int, Meta(ge=0)] = 0
    until: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class TraceSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`start` is Unix milliseconds, `duration` milliseconds, both with fractions.

    `name` is the first span's; `incomplete` one that the backend made of something not sampled.
    """

    trace_id: str
    name: str
    app: str
    start: float
    duration: float
    spans: int
    error: str = ""
    incomplete: bool = False


class TraceSummaries(Result, frozen=True, kw_only=True):
    """The newest first."""

    enabled: bool
    traces: list[TraceSummary]


class TraceSpan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`start` is milliseconds since the trace's own start, `duration` milliseconds."""

    span_id: str
    parent_id: str
    name: str
    kind: SpanKind
    start: float
    duration: float
    error: str = ""
    attributes: dict[str, Any] = {}


class GetTraceParams(Params, frozen=True, kw_only=True):
    trace_id: TraceId


class TraceResult(Result, frozen=True, kw_only=True):
    """Spans in the order of their starts; `left_out` counts those that had no room.

    `start` is Unix milliseconds.
    """

    trace_id: str
    start: float
    duration: float
    spans: list[TraceSpan]
    left_out: int = 0


METHODS = (
    Method(
        name="traces.query",
        summary="Recent traces, by id, correlation id, app, topic, duration, error or time.",
        params=TracesQueryParams,
        result=TraceSummaries,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="traces.get",
        summary="The spans of one recent trace.",
        params=GetTraceParams,
        result=TraceResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="traces.record",
        summary="Adds a client's own spans to traces that are sampled.",
        params=RecordSpansParams,
        result=RecordSpansResult,
    ),
)
