"""Limits: warned first, ended at the last strike, and at once where there is no time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.processes.policy.limit_policy import (
    MEGABYTE,
    QUICK_SAMPLE_S,
    SAMPLE_S,
    LimitPolicy,
    Usage,
    excesses,
    next_sample_s,
    open_files_ceiling,
)
from deskbus_protocol.manifest import Limits


def test_the_system_s_own_bound_leaves_room_above_the_limit_of_files() -> None:
    for limit in (16, 64, 1_000, 1_048_576):
        assert open_files_ceiling(limit) >= limit + 64


LIMITS = Limits(cpu_percent=50, memory_mb=100, processes=4, open_files=64, messages_per_s=10)


@pytest.mark.requirement("4.4")
def test_an_app_is_warned_once_and_ended_at_the_third_sample_in_a_row() -> None:
    strikes = LimitPolicy(LIMITS)
    over = Usage(cpu_percent=80)
    actions = [strikes.judge(float(second), over).action for second in range(3)]
    assert actions == ["warn", "fine", "end"]


def test_a_sample_within_the_limits_wipes_the_strikes_away() -> None:
    strikes = LimitPolicy(LIMITS)
    for second, cpu in enumerate((80, 80, 20, 80, 80)):
        verdict = strikes.judge(float(second), Usage(cpu_percent=cpu))
        assert verdict.action != "end"
    assert strikes.warned


def test_limits_do_not_share_their_strikes() -> None:
    strikes = LimitPolicy(LIMITS)
    assert strikes.judge(0, Usage(cpu_percent=80)).action == "warn"
    assert strikes.judge(1, Usage(messages_per_s=20)).action == "warn"
    assert strikes.judge(2, Usage(open_files=70)).action == "warn"


@pytest.mark.parametrize(
    "usage", [Usage(memory=125 * MEGABYTE), Usage(processes=8)], ids=["memory", "processes"]
)
def test_far_over_there_is_no_warning(usage: Usage) -> None:
    assert LimitPolicy(LIMITS).judge(0, usage).action == "end"


def test_quick_samples_are_no_strikes_of_their_own() -> None:
    strikes = LimitPolicy(LIMITS)
    over = Usage(memory=110 * MEGABYTE)
    actions = [strikes.judge(tenth / 10, over).action for tenth in range(21)]
    assert actions.count("warn") == 1
    assert actions.index("end") >= 18


def test_without_limits_anything_goes_but_a_flood_of_log_lines() -> None:
    huge = Usage(1e6, 10**12, 10**6, 10**6, 0.0, 1e9, 1e12)
    assert list(excesses(Limits(), huge)) == []
    assert [each.limit for each in excesses(Limits(), huge._replace(log_bytes_per_s=1e9))] == [
        "log"
    ]


def test_an_app_that_grows_towards_its_limit_is_looked_at_more_often() -> None:
    before, now = Usage(memory=20 * MEGABYTE), Usage(memory=60 * MEGABYTE)
    assert next_sample_s(LIMITS, before, now, 1.0) == QUICK_SAMPLE_S
    assert next_sample_s(LIMITS, now, now, 1.0) == SAMPLE_S
    assert next_sample_s(LIMITS, None, Usage(processes=3), 1.0) == QUICK_SAMPLE_S
    assert next_sample_s(Limits(), before, now, 1.0) == SAMPLE_S


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6))
def test_it_ends_exactly_when_so_many_samples_in_a_row_were_over(
    over: list[bool], allowed: int
) -> None:
    strikes = LimitPolicy(Limits(cpu_percent=50, strikes=allowed))
    row = 0
    for second, is_over in enumerate(over):
        row = row + 1 if is_over else 0
        verdict = strikes.judge(float(second), Usage(cpu_percent=90 if is_over else 10))
        assert (verdict.action == "end") == (row >= allowed)
        if row >= allowed:
            return
