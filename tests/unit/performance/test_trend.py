"""A leak is called one, and noise, steps and falls are not."""

import random

import pytest

from tests.performance.trend import MIN_SAMPLES, judge, slope_of

MINUTE_S = 60.0
SAMPLES = 60


def run(minutes: float) -> list[float]:
    return [minutes * MINUTE_S * at / (SAMPLES - 1) for at in range(SAMPLES)]


@pytest.mark.parametrize("seed", range(20))
def test_a_straight_rise_of_ten_megabytes_in_twenty_minutes_is_growth(seed: int) -> None:
    chance = random.Random(seed)
    times = run(20)
    memory = [80 + 10 * at / times[-1] + chance.gauss(0, 0.5) for at in times]
    verdict = judge(times, memory, allowed_rise=3, unit="MB")
    assert verdict.grows
    assert verdict.slope.value * 3600 == pytest.approx(30, rel=0.2)


@pytest.mark.parametrize("seed", range(20))
def test_noise_and_pauses_are_no_growth(seed: int) -> None:
    chance = random.Random(seed)
    times = run(20)
    memory = [80 + chance.gauss(0, 1) + 30 * (chance.random() < 0.05) for _ in times]
    assert not judge(times, memory, allowed_rise=3, unit="MB").grows


def test_what_fills_up_in_the_beginning_is_no_growth() -> None:
    times = run(20)
    memory = [60 + min(20.0, at / 10) for at in times]
    verdict = judge(times, memory, allowed_rise=3, unit="MB")
    assert not verdict.grows
    assert verdict.slope.value == 0


def test_a_leaked_descriptor_a_minute_is_growth() -> None:
    times = run(20)
    files = [40 + int(at // MINUTE_S) for at in times]
    assert judge(times, files, allowed_rise=4, unit="files").grows


def test_a_rise_that_is_allowed_is_told_with_its_size() -> None:
    times = run(20)
    verdict = judge(times, [80 + at / 1200 for at in times], allowed_rise=3, unit="MB")
    assert not verdict.grows
    assert "0.7 MB in all, within 3" in verdict.words


def test_a_fall_is_no_growth() -> None:
    times = run(20)
    assert not judge(times, [80 - at / 60 for at in times], allowed_rise=3, unit="MB").grows


def test_the_slope_is_that_of_the_worked_example() -> None:
    """A line with two outliers has the line's own slope, which least squares would not find."""
    times = [float(at) for at in range(20)]
    values = [2 * at + (500 if at in (3, 17) else 0) for at in times]
    slope = slope_of(times, values)
    assert slope.low <= slope.value == 2 <= slope.high


def test_one_in_twenty_intervals_misses_the_slope_and_no_more() -> None:
    chance = random.Random(5)
    times = [float(at) for at in range(30)]
    missed = 0
    for _ in range(300):
        slope = slope_of(times, [3 * at + chance.gauss(0, 4) for at in times])
        missed += not slope.low <= 3 <= slope.high
    assert 3 <= missed <= 30


def test_too_few_samples_prove_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        slope_of([1.0] * (MIN_SAMPLES - 1), [1.0] * (MIN_SAMPLES - 1))
