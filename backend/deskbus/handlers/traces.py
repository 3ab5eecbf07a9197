"""`traces.*`."""

from collections.abc import Mapping

from msgspec import UnsetType

from deskbus.observability.tracing import conventions
from deskbus.observability.tracing.span import Span, Value
from deskbus.observability.tracing.trace_ring import RecentTrace, TraceFilter, TraceRing
from deskbus.observability.tracing.tracer import Tracer
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.traces import (
    ClientSpan,
    GetTraceParams,
    RecordSpansParams,
    RecordSpansResult,
    TraceResult,
    TraceSpan,
    TracesQueryParams,
    TraceSummaries,
    TraceSummary,
)

NS_PER_MS = 1_000_000
NS_PER_US = 1_000


def handlers(ring: TraceRing, tracer: Tracer | None) -> Mapping[str, Handler]:
    """Without a `tracer` tracing is off, and there is nothing in the ring."""

    async def query(_: Call, params: TracesQueryParams) -> TraceSummaries:
        found = ring.find(_filter(params), params.limit)
        return TraceSummaries(
            enabled=tracer is not None, traces=[_summary(trace) for trace in found]
        )

    async def get(_: Call, params: GetTraceParams) -> TraceResult:
        trace = ring.get(params.trace_id)
        if trace is None:
            raise DeskbusError(
                NOT_FOUND,
                "There is no such trace, or not any more.",
                action="See traces.query; only the traces of the last while are kept here.",
            )
        return TraceResult(
            trace_id=trace.trace_id,
            start=trace.start_ns / NS_PER_MS,
            duration=trace.duration_ns / NS_PER_MS,
            spans=[_span(span, trace.start_ns) for span in trace.spans],
            left_out=trace.left_out,
        )

    async def record(call: Call, params: RecordSpansParams) -> RecordSpansResult:
        if tracer is None:
            return RecordSpansResult(taken=0)
        for span in params.spans:
            tracer.record(_told_by(call.identity, span))
        return RecordSpansResult(taken=len(params.spans))

    return {"traces.query": query, "traces.get": get, "traces.record": record}


def _told_by(identity: ClientId, span: ClientSpan) -> Span:
    """A client says what it did, but never that it is another."""
    attributes: dict[str, Value] = {
        conventions.APP: identity.app,
        conventions.CLIENT: identity.client,
    }
    if not isinstance(span.topic, UnsetType):
        attributes[conventions.MESSAGING_DESTINATION_NAME] = span.topic
    return Span(
        span.trace_id,
        span.span_id,
        "" if isinstance(span.parent_id, UnsetType) else span.parent_id,
        span.name,
        span.kind,
        span.start * NS_PER_US,
        max(span.start, span.end) * NS_PER_US,
        attributes,
        "" if isinstance(span.error, UnsetType) else span.error,
    )


def _filter(params: TracesQueryParams) -> TraceFilter:
    def given(value: str | UnsetType) -> str:
        return "" if isinstance(value, UnsetType) else value

    return TraceFilter(
        trace_id=given(params.trace_id),
        correlation_id=given(params.correlation_id),
        app=given(params.app),
        topic=given(params.topic),
        min_duration_ns=int(params.min_duration * NS_PER_MS),
        error=None if isinstance(params.error, UnsetType) else params.error,
        since_ns=params.since * NS_PER_MS,
        until_ns=None if isinstance(params.until, UnsetType) else params.until * NS_PER_MS,
    )


def _summary(trace: RecentTrace) -> TraceSummary:
    root = trace.root
    return TraceSummary(
        trace_id=trace.trace_id,
        name=root.name,
        app=str(root.attributes.get(conventions.APP, "")),
        start=trace.start_ns / NS_PER_MS,
        duration=trace.duration_ns / NS_PER_MS,
        spans=len(trace.spans),
        error=trace.error,
        incomplete=conventions.INCOMPLETE in root.attributes,
    )


def _span(span: Span, base_ns: int) -> TraceSpan:
    return TraceSpan(
        span_id=span.span_id,
        parent_id=span.parent_id,
        name=span.name,
        kind=span.kind,
        start=(span.start_ns - base_ns) / NS_PER_MS,
        duration=(span.end_ns - span.start_ns) / NS_PER_MS,
        error=span.error,
        attributes=dict(span.attributes),
    )
