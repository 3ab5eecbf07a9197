"""Histogram: how often a duration fell between which bounds."""

from bisect import bisect_left
from collections.abc import Sequence
from math import nan
from typing import NamedTuple

LATENCY_BOUNDS_S = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""From 50 µs to 10 s."""

DISK_BOUNDS_S = (
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
PERSON_BOUNDS_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class ExemplarPoint(NamedTuple):
    """One observation that can be looked up; `trace_id` is 32 hex digits."""

    trace_id: str
    value_s: float


class HistogramSnapshot(NamedTuple):
    """`counts` has one more item than `bounds`: what was above the last of them."""

    bounds: Sequence[float]
    counts: Sequence[int]
    sum_s: float
    exemplars: Sequence[ExemplarPoint | None]

    def quantile_s(self, q: float) -> float:
        """An estimate between the bounds, as Prometheus' `histogram_quantile` makes it.

        The highest bound for what is above it; NaN where nothing was observed.
        """
        total = sum(self.counts)
        if not total:
            return nan
        rank, below, low_s = q * total, 0, 0.0
        for bound_s, count in zip(self.bounds, self.counts, strict=False):
            if count and below + count >= rank:
                return low_s + (bound_s - low_s) * (rank - below) / count
            below, low_s = below + count, bound_s
        return self.bounds[-1]


class Histogram:
    """Seconds; each bucket keeps the newest observation that has a trace."""

    __slots__ = ("_bounds", "_counts", "_exemplars", "_sum_s")

    def __init__(self, bounds_s: Sequence[float] = LATENCY_BOUNDS_S) -> None:
        self._bounds = tuple(bounds_s)
        self._counts = [0] * (len(self._bounds) + 1)
        self._exemplars: list[ExemplarPoint | None] = [None] * len(self._counts)
        self._sum_s = 0.0

    def observe(self, value_s: float, trace_id: str = "") -> None:
        at = bisect_left(self._bounds, value_s)
        self._counts[at] += 1
        self._sum_s += value_s
        if trace_id:
            self._exemplars[at] = ExemplarPoint(trace_id, value_s)

    def snapshot(self) -> HistogramSnapshot:
        return HistogramSnapshot(
            self._bounds, tuple(self._counts), self._sum_s, tuple(self._exemplars)
        )
