"""ClientTracer: traces what a client does, as the backend's terms say (W3C Trace Context)."""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.topics import matches
from deskbus_protocol.traces import ClientSpan, SpanKind, TracingTerms

MAX_WAITING = 1024
"""Spans that wait for the connection; more are left out."""

_SAMPLED = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f][13579bdf]\Z")

_within: ContextVar[str | None] = ContextVar("traceparent", default=None)


class ClientStep(NamedTuple):
    """A step in progress of a trace that is sampled; `start` is Unix microseconds."""

    trace_id: str
    span_id: str
    parent_id: str | UnsetType
    name: str
    kind: SpanKind
    topic: str | UnsetType
    start: int

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"


class ClientTracer:
    """`wake` is called when the first of some spans waits to be told."""

    def __init__(self, terms: TracingTerms, wake: Callable[[], None]) -> None:
        self._terms = terms
        self._wake = wake
        self._waiting: list[ClientSpan] = []
        self._second_ends_s = 0.0
        self._begun = 0
        # No secret depends on them.
        self._random = random.Random()  # noqa: S311

    @contextmanager
    def step(
        self, name: str, kind: SpanKind, topic: str | None = None, behind: str | None = None
    ) -> Iterator[str | None]:
        """A block as a step: behind that of a traceparent, within the one under way, or a first.

        Its value is the traceparent of the step, None where it is not sampled.
        """
        begun = self._begin(name, kind, topic, behind)
        if begun is None:
            yield None
            return
        token = _within.set(begun.traceparent)
        error: str | UnsetType = "cancelled"
        try:
            yield begun.traceparent
            error = UNSET
        except DeskbusError as failed:
            error = failed.kind.category
            raise
        except Exception as failed:
            error = type(failed).__name__[:64]
            raise
        finally:
            _within.reset(token)
            self._end(begun, error)

    def take(self, limit: int) -> list[ClientSpan]:
        """The spans to tell next."""
        taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        return taken

    def _begin(
        self, name: str, kind: SpanKind, topic: str | None, behind: str | None
    ) -> ClientStep | None:
        parent = behind or _within.get()
        trace_id: str = f"{self._random.getrandbits(128) or 1:032x}"
        parent_id: str | UnsetType = UNSET
        if parent is not None:
            found = _SAMPLED.match(parent)
            if found is None:
                return None
            trace_id, parent_id = found[1], found[2]
        elif not self._samples(topic):
            return None
        span_id = f"{self._random.getrandbits(64) or 1:016x}"
        about = UNSET if topic is None else topic
        return ClientStep(trace_id, span_id, parent_id, name, kind, about, time.time_ns() // 1000)

    def _samples(self, topic: str | None) -> bool:
        terms = self._terms
        wanted = topic is not None and any(matches(each, topic) for each in terms.topics)
        if not (wanted or (terms.ratio > 0 and self._random.random() < terms.ratio)):
            return False
        now_s = time.monotonic()
        if now_s >= self._second_ends_s:
            self._second_ends_s, self._begun = now_s + 1.0, 0
        self._begun += 1
        return self._begun <= terms.max_per_s

    def _end(self, step: ClientStep, error: str | UnsetType) -> None:
        if len(self._waiting) >= MAX_WAITING:
            return
        self._waiting.append(
            ClientSpan(
                trace_id=step.trace_id,
                span_id=step.span_id,
                parent_id=step.parent_id,
                name=step.name[:256],
                kind=step.kind,
                start=step.start,
                end=max(step.start, time.time_ns() // 1000),
                topic=step.topic,
                error=error,
            )
        )
        if len(self._waiting) == 1:
            self._wake()
