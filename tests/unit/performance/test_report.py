"""Ratios of rows whose runs come in pairs, on a machine whose speed changes meanwhile."""

from statistics import median

from tests.performance.report.outcome import MIN_PAIRS, Measured
from tests.performance.report.rows import ROWS

NAME = "1 → 1, metrics on, tracing off"


def measured(ours: list[float], theirs: list[float]) -> Measured:
    row = next(row for row in ROWS if row.name == NAME)
    (peer,) = row.peers
    runs = {
        name: [{row.figure: value} for value in values]
        for name, values in ((row.ours, ours), (peer, theirs))
    }
    medians = {
        name: {row.figure: median(run[row.figure] for run in many)} for name, many in runs.items()
    }
    return Measured(row=row, medians=medians, runs=runs)


def test_what_slows_both_runs_of_a_pair_does_not_touch_their_ratio() -> None:
    speeds = [100.0 * (1 + turn) for turn in range(MIN_PAIRS)]
    # One run of ours fell into a moment that was not the machine's usual one.
    ours = [0.99 * speed for speed in speeds[:-1]] + [5.0]
    each = measured(ours, speeds)
    (goal,) = each.goals()
    ratio = each.ratio(goal)
    assert ratio is not None
    assert abs(ratio - 0.99) < 1e-9
    assert each.met(goal)
    interval = each.interval("unobserved")
    assert interval is not None
    assert interval[0] <= 0.99 <= interval[1] < 1


def test_few_pairs_have_no_interval_and_the_ratio_of_their_medians() -> None:
    each = measured([90.0, 110.0, 70.0], [100.0, 100.0, 100.0])
    (goal,) = each.goals()
    assert each.ratio(goal) == 0.9
    assert each.interval("unobserved") is None
