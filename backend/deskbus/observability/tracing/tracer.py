"""Tracer: makes spans, and hands the finished ones on."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from deskbus.observability.tracing.conventions import INCOMPLETE
from deskbus.observability.tracing.sampling import HeadSampler
from deskbus.observability.tracing.span import Span, SpanKind, Value
from deskbus.observability.tracing.traceparent import parse, traceparent
from deskbus_protocol.errors import DeskbusError

Recorder = Callable[[Span], None]


class SteadyUnixNs:
    """Unix nanoseconds that never step: the wall clock is read once."""

    def __init__(self) -> None:
        self._base_ns = time.time_ns() - time.perf_counter_ns()

    def __call__(self) -> int:
        return time.perf_counter_ns() + self._base_ns


class OpenSpan(NamedTuple):
    """A span in progress; what it leads to are its children."""

    tracer: "Tracer"
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int

    @property
    def traceparent(self) -> str:
        return traceparent(self.trace_id, self.span_id)

    def child(self) -> "OpenSpan":
        tracer = self.tracer
        return OpenSpan(tracer, self.trace_id, tracer.new_span_id(), self.span_id, tracer.now_ns())

    def end(
        self,
        name: str,
        attributes: Mapping[str, Value],
        *,
        kind: SpanKind = "internal",
        error: str = "",
        end_ns: int | None = None,
    ) -> None:
        end_ns = self.tracer.now_ns() if end_ns is None else end_ns
        ids = self.trace_id, self.span_id, self.parent_id
        self.tracer.record(Span(*ids, name, kind, self.start_ns, end_ns, attributes, error))

    @contextmanager
    def step(self, name: str, attributes: Mapping[str, Value]) -> Iterator[None]:
        """A child for the length of a block, with the category of an error that ends it."""
        child = self.child()
        error = "cancelled"
        try:
            yield
            error = ""
        except DeskbusError as failed:
            error = failed.kind.category
            raise
        except Exception:
            error = "internal"
            raise
        finally:
            child.end(name, attributes, error=error)


class Tracer:
    """`recorders` take each finished span. Made only where tracing is on."""

    def __init__(
        self,
        sampler: HeadSampler,
        recorders: list[Recorder],
        *,
        slow_ns: int,
        marked: HeadSampler | None = None,
        now_ns: Callable[[], int] | None = None,
    ) -> None:
        """`marked` bounds what others want traced. `slow_ns` is from when on a call or message that
        was not sampled is told all the same.
        """
        self.sampler = sampler
        self.slow_ns = slow_ns
        self._marked = marked or HeadSampler(0.0)
        self.now_ns = now_ns or SteadyUnixNs()
        self._recorders = recorders
        # No secret depends on them.
        self._random = random.Random()  # noqa: S311

    def new_span_id(self) -> str:
        return f"{self._random.getrandbits(64) or 1:016x}"

    def new_trace_id(self) -> str:
        return f"{self._random.getrandbits(128) or 1:032x}"

    def begin(self, parent: str | None, *, start_ns: int, sampled: bool) -> OpenSpan | None:
        """A span as the sender of a traceparent wants it; without one, where it is `sampled`."""
        remote = parse(parent) if parent else None
        if remote is None:
            if not sampled:
                return None
            return OpenSpan(self, self.new_trace_id(), self.new_span_id(), "", start_ns)
        if not (remote.sampled and self._marked.affords_one()):
            return None
        return OpenSpan(self, remote.trace_id, self.new_span_id(), remote.span_id, start_ns)

    def record(self, span: Span) -> None:
        for recorder in self._recorders:
            recorder(span)

    def record_alone(
        self,
        name: str,
        kind: SpanKind,
        start_ns: int,
        attributes: Mapping[str, Value],
        *,
        error: str,
        trace_id: str = "",
    ) -> None:
        """The one span of what was not sampled, but failed, was refused, or was slow."""
        span = Span(
            trace_id or self.new_trace_id(),
            self.new_span_id(),
            "",
            name,
            kind,
            start_ns,
            self.now_ns(),
            {**attributes, INCOMPLETE: True},
            error,
        )
        self.record(span)
