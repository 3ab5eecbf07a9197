"""TraceRing: the traces of the last while, for who asks on this machine."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from deskbus.observability.tracing.conventions import (
    APP,
    MESSAGING_DESTINATION_NAME,
    MESSAGING_MESSAGE_CONVERSATION_ID,
)
from deskbus.observability.tracing.span import Span

MAX_TRACES = 1000
MAX_SPANS_OF_TRACE = 256
MAX_SPANS = 20_000
"""About 10 MB, a span taking half a kilobyte."""


class RecentTrace(NamedTuple):
    """Spans in the order of their starts; `left_out` counts those that had no room."""

    trace_id: str
    spans: list[Span]
    left_out: int

    @property
    def start_ns(self) -> int:
        return self.spans[0].start_ns

    @property
    def duration_ns(self) -> int:
        return max(span.end_ns for span in self.spans) - self.start_ns

    @property
    def error(self) -> str:
        """The category of its first error; "" for none."""
        return next((span.error for span in self.spans if span.error), "")

    @property
    def root(self) -> Span:
        """The span whose parent is not among them; the first such."""
        known = {span.span_id for span in self.spans}
        return next(span for span in self.spans if span.parent_id not in known)


class TraceFilter(NamedTuple):
    """A member that is empty or None does not narrow; times are Unix nanoseconds."""

    trace_id: str = ""
    correlation_id: str = ""
    app: str = ""
    topic: str = ""
    min_duration_ns: int = 0
    error: bool | None = None
    since_ns: int = 0
    until_ns: int | None = None

    def fits(self, trace: RecentTrace) -> bool:
        if trace.duration_ns < self.min_duration_ns or trace.start_ns < self.since_ns:
            return False
        if self.until_ns is not None and trace.start_ns >= self.until_ns:
            return False
        if self.error is not None and bool(trace.error) != self.error:
            return False
        return all(
            not wanted or any(span.attributes.get(name) == wanted for span in trace.spans)
            for name, wanted in (
                (APP, self.app),
                (MESSAGING_DESTINATION_NAME, self.topic),
                (MESSAGING_MESSAGE_CONVERSATION_ID, self.correlation_id),
            )
        )


class TraceRing:
    """The trace that got no span for longest gives way first."""

    def __init__(self) -> None:
        self._traces: OrderedDict[str, list[Span]] = OrderedDict()
        self._left_out: dict[str, int] = {}
        self._spans = 0

    def __len__(self) -> int:
        return len(self._traces)

    def add(self, span: Span) -> None:
        spans = self._traces.setdefault(span.trace_id, [])
        self._traces.move_to_end(span.trace_id)
        if len(spans) >= MAX_SPANS_OF_TRACE:
            self._left_out[span.trace_id] = self._left_out.get(span.trace_id, 0) + 1
            return
        spans.append(span)
        self._spans += 1
        while len(self._traces) > MAX_TRACES or self._spans > MAX_SPANS:
            oldest, gone = self._traces.popitem(last=False)
            self._spans -= len(gone)
            self._left_out.pop(oldest, None)

    def get(self, trace_id: str) -> RecentTrace | None:
        spans = self._traces.get(trace_id)
        return None if spans is None else self._recent(trace_id, spans)

    def find(self, wanted: TraceFilter, limit: int) -> list[RecentTrace]:
        """The newest first."""
        found = (trace for trace in self._newest(wanted) if wanted.fits(trace))
        return [trace for trace, _ in zip(found, range(limit), strict=False)]

    def _newest(self, wanted: TraceFilter) -> Iterator[RecentTrace]:
        if wanted.trace_id:
            one = self.get(wanted.trace_id)
            yield from () if one is None else (one,)
            return
        for trace_id, spans in reversed(self._traces.items()):
            yield self._recent(trace_id, spans)

    def _recent(self, trace_id: str, spans: list[Span]) -> RecentTrace:
        ordered = sorted(spans, key=lambda span: span.start_ns)
        return RecentTrace(trace_id, ordered, self._left_out.get(trace_id, 0))
