"""Liveness: the deadlines of a running app for readiness, then for signs of life. Pure."""

from typing import Literal

from deskbus_protocol.manifest import HeartbeatSpec

Missed = Literal["never_ready", "unresponsive", "hung"]

STOOD_STILL_S = 1.0
"""A deadline looked at this much too late means that the backend, or the machine, stood still."""


class Liveness:
    """Watches one run of an app. Times are monotonic seconds.

    Its owner calls `look` at `due_at`, which every other call may move. An app that never
    beats is only held to `ready_within_s`.
    """

    def __init__(self, spec: HeartbeatSpec, ready_within_s: float) -> None:
        self._spec = spec
        self._ready_within_s = ready_within_s
        self._waiting_for: Missed | None = None
        self._beat_at: float | None = None
        self.due_at: float | None = None

    def started(self, now_s: float) -> None:
        self._beat_at = None
        self._expect("never_ready", now_s + self._ready_within_s)

    def ready(self, now_s: float) -> None:
        if self._waiting_for == "never_ready":
            self._expect(None, None)
            if self._beat_at is not None:
                self.beat(now_s)

    def beat(self, now_s: float) -> None:
        """Notes a sign of life; silence counts from the first one on."""
        self._beat_at = now_s
        if self._waiting_for != "never_ready":
            self._expect("unresponsive", now_s + self._spec.deadline_s)

    def stop(self) -> None:
        self._expect(None, None)

    def silent_s(self, now_s: float) -> float:
        """Seconds since the last sign of life."""
        return 0.0 if self._beat_at is None else now_s - self._beat_at

    def look(self, now_s: float) -> Missed | None:
        """The missed deadline, if one has passed; each is told once."""
        if self.due_at is None or self._waiting_for is None or now_s < self.due_at:
            return None
        if now_s - self.due_at >= STOOD_STILL_S:
            # The silence may be our own: what was sent meanwhile is still to be read.
            self.due_at = now_s + STOOD_STILL_S / 2
            return None
        missed = self._waiting_for
        if missed == "unresponsive" and isinstance(self._spec.kill_after_s, float | int):
            self._expect("hung", now_s + self._spec.kill_after_s)
        else:
            self._expect(None, None)
        return missed

    def _expect(self, what: Missed | None, due_at: float | None) -> None:
        self._waiting_for = what
        self.due_at = due_at
