"""Spans as OTLP's `ExportTraceServiceRequest`, by OpenTelemetry's own SDK; imported when on."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from deskbus import __version__
from deskbus.observability.tracing import conventions
from deskbus.observability.tracing.span import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan


def span_encoder(instance: str) -> Callable[[Sequence[Span]], bytes]:
    """Makes the bytes of a request; `instance` is this run of the backend."""

    def encode(spans: Sequence[Span]) -> bytes:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        request = encode_spans([_readable(span, resource_of(instance)) for span in spans])
        return bytes(request.SerializeToString())

    return encode


@cache
def resource_of(instance: str) -> "Resource":
    from opentelemetry.sdk.resources import Resource

    # `Resource.create` would add what the environment says.
    return Resource(
        {
            conventions.SERVICE_NAME: "deskbus",
            conventions.SERVICE_VERSION: __version__,
            conventions.SERVICE_INSTANCE_ID: instance,
        },
        conventions.SCHEMA_URL,
    )


def _readable(span: Span, resource: "Resource") -> "ReadableSpan":
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

    def context(span_id: str) -> SpanContext:
        return SpanContext(
            int(span.trace_id, 16),
            int(span_id, 16),
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )

    status = Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET)
    attributes = dict(span.attributes)
    if span.error:
        attributes[conventions.ERROR_TYPE] = span.error
    return ReadableSpan(
        name=span.name,
        context=context(span.span_id),
        parent=context(span.parent_id) if span.parent_id else None,
        resource=resource,
        attributes=attributes,
        kind=SpanKind[span.kind.upper()],
        status=status,
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=InstrumentationScope("deskbus", __version__, conventions.SCHEMA_URL),
    )
