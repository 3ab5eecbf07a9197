"""Judges the clock of the records: a wall clock may step, and then a reader should know. Pure."""

from typing import NamedTuple

from deskbus.audit.format.record import Times

STEP_MS = 1000
"""A wall clock that moves so far against the monotonic one was set; less is drift."""


class ClockStep(NamedTuple):
    """The clock moved by `by_ms` before the record `seq`; less than nothing is back."""

    seq: int
    by_ms: int
    between_runs: bool

    @property
    def text(self) -> str:
        way = "back" if self.by_ms < 0 else "forward"
        when = "between two runs" if self.between_runs else "while the backend ran"
        return f"the clock was set {way} by {abs(self.by_ms) / 1000:.1f} s {when}"


class ClockCheck:
    """Takes the records in order."""

    def __init__(self) -> None:
        self._boot = ""
        self._offset_us = 0
        self._last_ms = 0

    def check(self, times: Times) -> ClockStep | None:
        offset_us = times.time * 1000 - times.mono
        step = None
        if times.boot == self._boot:
            moved_ms = (offset_us - self._offset_us) // 1000
            if abs(moved_ms) >= STEP_MS:
                step = ClockStep(times.seq, moved_ms, False)
                self._offset_us = offset_us
        else:
            back_ms = times.time - self._last_ms
            if self._boot and back_ms <= -STEP_MS:
                step = ClockStep(times.seq, back_ms, True)
            self._boot, self._offset_us = times.boot, offset_us
        self._last_ms = times.time
        return step
