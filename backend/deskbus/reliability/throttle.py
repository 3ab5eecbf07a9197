"""Throttle: passes a few events of each kind in an interval, and counts those beyond. Pure."""

from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K")


class Throttled(NamedTuple):
    """`passes` says whether to act on the event.

    `left_out` counts events of its kind that did not pass: those of the interval before where a new
    one begins, else those of this interval so far.
    """

    passes: bool
    left_out: int


class _Interval:
    __slots__ = ("begins", "left_out", "passed")

    def __init__(self, begins: float) -> None:
        self.begins = begins
        self.passed = 1
        self.left_out = 0


class Throttle(Generic[K]):
    """At most `limit` events of a kind within `interval`; times are in the interval's own unit.

    Beyond `max_kinds`, the kind whose interval began first is forgotten, with its count.
    """

    def __init__(self, limit: int, interval: float, max_kinds: int) -> None:
        self._limit = limit
        self._interval = interval
        self._max_kinds = max_kinds
        self._intervals: OrderedDict[K, _Interval] = OrderedDict()

    def take(self, kind: K, now: float) -> Throttled:
        known = self._intervals.get(kind)
        if known is None or now - known.begins >= self._interval:
            self._intervals[kind] = _Interval(now)
            self._intervals.move_to_end(kind)
            if len(self._intervals) > self._max_kinds:
                self._intervals.popitem(last=False)
            return Throttled(True, 0 if known is None else known.left_out)
        if known.passed < self._limit:
            known.passed += 1
            return Throttled(True, 0)
        known.left_out += 1
        return Throttled(False, known.left_out)
