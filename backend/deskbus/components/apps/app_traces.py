"""AppTraces: start, run and crash of an app, in the trace of the call that launched it."""

from typing import NamedTuple

from msgspec import UnsetType

from deskbus.observability.tracing import call_trace, conventions
from deskbus.observability.tracing.span import Value
from deskbus.observability.tracing.tracer import OpenSpan, Tracer
from deskbus_protocol.apps import AppState, AppStatus

MAX_APPS = 1000

ENDED: frozenset[AppState] = frozenset({"stopped", "crashed", "restarting", "failed"})


class AppPhase(NamedTuple):
    """A start or a run in progress; `span` is None where the launch is not sampled.

    `launch` is the span of the call that launched it, under which restarts stand as well.
    """

    name: str
    launch: OpenSpan | None
    span: OpenSpan | None
    start_ns: int


class AppTraces:
    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._phases: dict[str, AppPhase] = {}

    def changed(self, status: AppStatus) -> None:
        """Takes each change of an app's state, within the call that has led to it, if one has."""
        app, state = status.app, status.state
        phase = self._phases.get(app)
        if state == "starting" and (phase is None or phase.name != "app start"):
            self._begin(app, "app start", call_trace.current().span or _launch_of(phase))
        elif state == "ready" and phase is not None and phase.name == "app start":
            self._end(status, phase)
            self._begin(app, "app run", phase.launch)
        elif state in ENDED and phase is not None and phase.name != "ended":
            self._end(status, phase)
            if state == "restarting":
                self._phases[app] = AppPhase("ended", phase.launch, None, 0)
            else:
                self._phases.pop(app, None)

    def _begin(self, app: str, name: str, launch: OpenSpan | None) -> None:
        if app not in self._phases and len(self._phases) >= MAX_APPS:
            return
        span = None if launch is None else launch.child()
        self._phases[app] = AppPhase(name, launch, span, self._tracer.now_ns())

    def _end(self, status: AppStatus, phase: AppPhase) -> None:
        """An app that ended as it was asked to is no error; a crash is told in any case."""
        attributes: dict[str, Value] = {conventions.APP: status.app}
        crash = status.crash
        error = ""
        if status.state in ENDED and not isinstance(crash, UnsetType):
            error = f"crash.{crash.cause}"
            attributes[conventions.OUTCOME] = crash.detail
        if phase.span is not None:
            phase.span.end(phase.name, attributes, error=error)
        elif error:
            self._tracer.record_alone(
                phase.name, "internal", phase.start_ns, attributes, error=error
            )


def _launch_of(phase: AppPhase | None) -> OpenSpan | None:
    return None if phase is None else phase.launch
