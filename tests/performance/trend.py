"""Whether a quantity grows with time: its slope, with an interval of confidence, and a verdict.

The slope is Theil's and Sen's, the median of the slopes between all pairs; its interval is Sen's,
by the variance of Kendall's tau (Sen 1968, section 6). Neither is moved by outliers, as a pause of
the machine makes.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

Z_95 = 1.959964
"""The quantile of the normal distribution that leaves 5 % outside of both ends."""

WARM_UP = 0.25
"""The part of a run in which caches, pools and histories fill up; it is left out."""

MIN_SAMPLES = 10


class Slope(NamedTuple):
    """A second, in the quantity's unit; `low` to `high` holds the true one in 95 of 100 cases."""

    value: float
    low: float
    high: float


class Verdict(NamedTuple):
    """`rise` is what the run makes at the low end of the slope: what is proven, and no more."""

    grows: bool
    slope: Slope
    rise: float
    words: str


def slope_of(times_s: Sequence[float], values: Sequence[float]) -> Slope:
    """Raises `ValueError` where there are too few samples to tell."""
    count = len(times_s)
    if count < MIN_SAMPLES:
        raise ValueError(f"{count} samples are too few: at least {MIN_SAMPLES}")
    slopes = sorted(
        (values[later] - values[earlier]) / (times_s[later] - times_s[earlier])
        for earlier in range(count)
        for later in range(earlier + 1, count)
        if times_s[later] > times_s[earlier]
    )
    spread = Z_95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    pairs = len(slopes)
    low = max(0, math.floor((pairs - spread) / 2))
    high = min(pairs - 1, math.ceil((pairs + spread) / 2))
    middle = pairs // 2
    value = slopes[middle] if pairs % 2 else (slopes[middle - 1] + slopes[middle]) / 2
    return Slope(value, slopes[low], slopes[high])


def judge(
    times_s: Sequence[float], values: Sequence[float], *, allowed_rise: float, unit: str
) -> Verdict:
    """It grows where even the low end of the slope makes more than `allowed_rise` of the whole run.

    `allowed_rise` is what a run of any length may end higher, as an allocator and counters do; a
    leak goes beyond it, the later the smaller it is.
    """
    began = times_s[0] + WARM_UP * (times_s[-1] - times_s[0])
    later = [(at, value) for at, value in zip(times_s, values, strict=True) if at >= began]
    slope = slope_of(*zip(*later, strict=True))
    span_s = later[-1][0] - later[0][0]
    rise = slope.low * span_s
    hour = Slope(*(each * 3600 for each in slope))
    words = f"{hour.value:+.2f} {unit}/h ({hour.low:+.2f} to {hour.high:+.2f})"
    if rise > allowed_rise:
        return Verdict(True, slope, rise, f"{words}: grows, by {rise:.1f} {unit} in this run alone")
    if slope.low > 0:
        return Verdict(
            False, slope, rise, f"{words}: {rise:.1f} {unit} in all, within {allowed_rise:g}"
        )
    return Verdict(False, slope, rise, f"{words}: no growth is proven")
