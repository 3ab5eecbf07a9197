"""The trace and the correlation id of the call that is being answered, for what it leads to."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Raw, UnsetType, structs

from deskbus.observability.tracing.span import Value
from deskbus.observability.tracing.tracer import OpenSpan
from deskbus_protocol.events import Event
from deskbus_protocol.method import TraceContext

_TRACE_ID = slice(3, 35)
"""The parts of a traceparent (W3C Trace Context): version, trace id, parent id, flags."""

EDGE_BYTES = 4096
"""Ids of a call are looked for in so much of its parameters' beginning and end: to search all of a
long text would keep everybody waiting.
"""

E = TypeVar("E", bound=Event)


class CallTrace(NamedTuple):
    """`trace_id` is 32 hex digits; both ids are "" outside of a call, and `span` is None unless it
    is traced.
    """

    trace_id: str = ""
    correlation_id: str = ""
    span: OpenSpan | None = None

    @contextmanager
    def step(self, name: str, attributes: Mapping[str, Value]) -> Iterator[None]:
        """A block as a step of the call's trace, where it has one."""
        if self.span is None:
            yield
            return
        with self.span.step(name, attributes):
            yield


class _Known(msgspec.Struct, frozen=True, rename="camel"):
    meta: TraceContext | UnsetType = msgspec.field(default=msgspec.UNSET, name="_meta")
    correlation_id: str | UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Known).decode


class _Answering:
    """A call in progress; its parameters are read only where somebody asks."""

    def __init__(self, params: Raw, span: OpenSpan | None, caller: str) -> None:
        self.caller = caller
        self._params: Raw | None = params
        self._span = span
        self._trace: CallTrace | None = None

    def trace(self) -> CallTrace:
        if self._trace is None and self._params is not None:
            self._trace = _read(self._params, self._span)
        return self._trace or CallTrace()

    def end(self) -> None:
        # A task that the call has started lives on, and what happens in it later is no part of it.
        self._params = self._trace = self._span = None
        self.caller = ""


_answering: ContextVar[_Answering | None] = ContextVar("answering", default=None)


@contextmanager
def answering(params: Raw, span: OpenSpan | None = None, *, caller: str = "") -> Iterator[None]:
    """The call with these parameters is being answered for the length of a `with` block."""
    call = _Answering(params, span, caller)
    token = _answering.set(call)
    try:
        yield
    finally:
        _answering.reset(token)
        call.end()


def current() -> CallTrace:
    """The caller's own ids, or ones that were made for its call."""
    call = _answering.get()
    return CallTrace() if call is None else call.trace()


def caller() -> str:
    """The app whose call is being answered; "" outside of a call."""
    call = _answering.get()
    return "" if call is None else call.caller


def traced(event: E) -> E:
    """The event with the ids of the call that has led to it, where it has none of its own."""
    if event.trace_id and event.correlation_id:
        return event
    trace_id, correlation_id, _ = current()
    return structs.replace(
        event,
        trace_id=event.trace_id or trace_id,
        correlation_id=event.correlation_id or correlation_id,
    )


def trace_id_of(meta: TraceContext | UnsetType) -> str:
    """The trace id of a traceparent; "" where there is none."""
    if isinstance(meta, UnsetType) or isinstance(meta.traceparent, UnsetType):
        return ""
    found = meta.traceparent[_TRACE_ID]
    return found if len(found) == 32 and all(c in "0123456789abcdef" for c in found) else ""


def traceparent_of(meta: TraceContext | UnsetType) -> str | None:
    """As it came; None where there is none."""
    if isinstance(meta, UnsetType) or isinstance(meta.traceparent, UnsetType):
        return None
    return meta.traceparent


def traceparent_in(params: Raw) -> str | None:
    """The traceparent of a call that was not decoded yet; None where there is none."""
    return traceparent_of(_known_of(params, b'"traceparent"').meta)


def _known_of(params: Raw, *names: bytes) -> _Known:
    """The ids in parameters that hold one of `names` near an end; others are not gone through."""
    view = memoryview(params)
    ends = bytes(view[:EDGE_BYTES]) + bytes(view[-EDGE_BYTES:])
    if not any(name in ends for name in names):
        return _Known()
    try:
        return _decode(params)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _Known()


def _read(params: Raw, span: OpenSpan | None) -> CallTrace:
    known = _known_of(params, b'"traceparent"', b'"correlationId"')
    own = "" if isinstance(known.correlation_id, UnsetType) else known.correlation_id
    trace_id = span.trace_id if span is not None else trace_id_of(known.meta)
    return CallTrace(trace_id or secrets.token_hex(16), own or secrets.token_hex(8), span)
