"""Limits: warned first, ended at the last strike, and at once where there is no time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskbus.processes.policy.limit_policy import (
    MEGABYTE,
    QUICK_SAMPLE_S,
    SAMPLE_S,
    Excess,
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
    assert open_files_ceiling(16) == 80


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


@pytest.mark.requirement("4.4")
@pytest.mark.parametrize(
    ("limits", "usage", "excess"),
    [
        (Limits(memory_mb=100), "memory", Excess("memory", 104_857_601, 104_857_600)),
        (Limits(processes=4), "processes", Excess("processes", 5, 4)),
        (Limits(cpu_percent=50), "cpu_percent", Excess("cpu", 50.5, 50)),
        (Limits(open_files=64), "open_files", Excess("open_files", 65, 64)),
        (Limits(log_kb_per_s=2), "log_bytes_per_s", Excess("log", 2048.5, 2048)),
        (Limits(messages_per_s=10), "messages_per_s", Excess("messages", 10.5, 10)),
        (Limits(bus_kb_per_s=3), "bus_bytes_per_s", Excess("bus_bytes", 3072.5, 3072)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_limit_is_exceeded_beyond_it_and_not_at_it(
    limits: Limits, usage: str, excess: Excess
) -> None:
    at_it: dict[str, Any] = {usage: excess.allowed}
    beyond_it: dict[str, Any] = {usage: excess.measured}
    assert set(Usage()) == {0}
    assert list(excesses(limits, Usage(**at_it))) == []
    assert list(excesses(limits, Usage(**beyond_it))) == [excess]


def test_a_sample_that_is_a_little_early_is_a_strike() -> None:
    strikes = LimitPolicy(LIMITS)
    actions = [strikes.judge(tenth / 10, Usage(cpu_percent=80)).action for tenth in (0, 9, 18)]
    assert actions == ["warn", "fine", "end"]


@pytest.mark.parametrize(
    ("limits", "before", "now", "elapsed_s", "quick"),
    [
        (Limits(memory_mb=100), Usage(memory=MEGABYTE), Usage(memory=2 * MEGABYTE), 1, False),
        (Limits(processes=4), None, Usage(processes=1), 1, False),
        (Limits(processes=3), None, Usage(processes=1), 1, True),
        (Limits(processes=4), Usage(processes=1), Usage(processes=2), 1, True),
        (Limits(processes=4), Usage(processes=9), Usage(processes=9), 1, False),
        (Limits(open_files=64), Usage(), Usage(open_files=20), 1, True),
        (Limits(open_files=64), Usage(), Usage(open_files=10), 1, False),
        (Limits(open_files=64), Usage(), Usage(open_files=10), 0.1, True),
    ],
)
def test_an_app_is_looked_at_soon_where_it_would_be_over_a_limit_in_three_seconds(
    *, limits: Limits, before: Usage | None, now: Usage, elapsed_s: float, quick: bool
) -> None:
    expected = QUICK_SAMPLE_S if quick else SAMPLE_S
    assert next_sample_s(limits, before, now, elapsed_s) == expected


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
