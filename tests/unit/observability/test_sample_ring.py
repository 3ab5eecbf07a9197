"""A day's course of figures: fine lately, coarser before, and in bounded memory."""

from math import isnan

import pytest

from deskbus.observability.sample_ring import SampleRing, Tier, mean

TIERS = (Tier(1, 10), Tier(5, 12), Tier(20, 6))


def ring() -> SampleRing:
    return SampleRing({"rate": mean, "peak": max}, TIERS)


def test_nothing_was_added_so_there_is_nothing() -> None:
    course = ring().course(10)
    assert course.ends_s == []
    assert course.series == {"rate": [], "peak": []}


@pytest.mark.requirement("7.1")
def test_the_last_samples_come_back_oldest_first() -> None:
    kept = ring()
    for second in range(4):
        kept.add(1000 + second, {"rate": second, "peak": -second})
    course = kept.course(10)
    assert course.step_s == 1
    assert course.ends_s == [1001, 1002, 1003, 1004]
    assert course.series == {"rate": [0, 1, 2, 3], "peak": [0, -1, -2, -3]}


def test_a_longer_span_is_told_in_coarser_steps_each_combined_as_its_series_says() -> None:
    kept = ring()
    for second in range(20):
        kept.add(1000 + second, {"rate": second, "peak": second})
    course = kept.course(60)
    assert course.step_s == 5
    assert course.ends_s == [1005, 1010, 1015, 1020]
    assert course.series["rate"] == [2, 7, 12, 17]
    assert course.series["peak"] == [4, 9, 14, 19]


def test_no_more_is_kept_than_the_tiers_hold() -> None:
    kept = ring()
    for second in range(1000):
        kept.add(second, {"rate": second, "peak": second})
    assert len(kept.course(10).ends_s) == 10
    assert len(kept.course(60).ends_s) == 12
    far = kept.course(10_000)
    assert far.step_s == 20
    assert len(far.ends_s) == 6
    assert far.ends_s[-1] == 1000


def test_a_time_for_which_nothing_came_is_a_gap_and_not_an_old_value() -> None:
    kept = ring()
    kept.add(0, {"rate": 7, "peak": 7})
    kept.add(9, {"rate": 9, "peak": 9})
    rates = kept.course(10).series["rate"]
    assert rates[0] == 7
    assert all(isnan(rate) for rate in rates[1:-1])
    assert rates[-1] == 9
    kept.add(500, {"rate": 1, "peak": 1})
    assert kept.course(10).ends_s == [501]


def test_a_series_without_a_value_leaves_the_others_be() -> None:
    kept = ring()
    kept.add(0, {"rate": 1})
    course = kept.course(10)
    assert course.series["rate"] == [1]
    assert isnan(course.series["peak"][0])


def test_several_samples_of_one_step_are_one_value() -> None:
    kept = ring()
    for at in (3.1, 3.2, 3.9):
        kept.add(at, {"rate": at * 10, "peak": at})
    course = kept.course(10)
    assert course.series["rate"] == [pytest.approx(34.0)]
    assert course.series["peak"] == [3.9]


def test_a_sample_that_comes_a_moment_late_leaves_no_hole() -> None:
    kept = ring()
    for at in (0.9, 1.95, 3.01):
        kept.add(at, {"rate": at, "peak": at})
    assert kept.course(10).series["rate"] == [0.9, 1.95, 3.01, 3.01]
