"""Durations between bounds."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.observability.metrics.histogram import LATENCY_BOUNDS_S, Histogram


@given(st.lists(st.floats(min_value=0, max_value=20), max_size=200))
def test_every_observation_is_in_the_first_bucket_whose_bound_it_does_not_exceed(
    values: list[float],
) -> None:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    found = histogram.snapshot()
    total = 0
    for bound, count in zip((*LATENCY_BOUNDS_S, float("inf")), found.counts, strict=True):
        total += count
        assert total == sum(value <= bound for value in values)
    assert found.sum_s == pytest.approx(sum(values))


def test_a_bucket_keeps_the_newest_trace_that_it_has_seen() -> None:
    histogram = Histogram((0.1, 1.0))
    for value_s, trace in ((0.05, "a" * 32), (0.06, "b" * 32), (0.07, ""), (5.0, "c" * 32)):
        histogram.observe(value_s, trace)
    first, second, last = histogram.snapshot().exemplars
    assert first is not None
    assert first == ("b" * 32, 0.06)
    assert second is None
    assert last == ("c" * 32, 5.0)


def test_a_quantile_lies_between_the_bounds_of_its_bucket() -> None:
    histogram = Histogram((0.1, 1.0, 10.0))
    assert isnan(histogram.snapshot().quantile_s(0.5))
    for value_s in (0.5,) * 50 + (5.0,) * 50:
        histogram.observe(value_s)
    assert histogram.snapshot().quantile_s(0.25) == pytest.approx(0.55)
    assert 1.0 < histogram.snapshot().quantile_s(0.99) <= 10.0
    histogram.observe(99.0)
    assert histogram.snapshot().quantile_s(1.0) == 10.0
