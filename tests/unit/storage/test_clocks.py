"""The clock of grants and embargoes goes forward with time, whatever the wall clock says."""

import pytest

from tests.unit.security.desk import START_MS, FakeClock

pytestmark = pytest.mark.requirement("3.2")


def test_it_follows_time_and_not_the_wall_clock() -> None:
    clock = FakeClock()
    steady = clock.steady()
    clock.wall += 8 * 24 * 3600 * 1000
    assert steady() == START_MS
    clock.wall = 0
    clock.running += 500
    assert steady() == START_MS + 500


def test_it_does_not_go_back_behind_what_an_earlier_run_has_seen() -> None:
    clock = FakeClock()
    clock.wall -= 3_600_000
    steady = clock.steady()
    steady.not_before(START_MS)
    assert steady() == START_MS
    clock.running += 10
    steady.not_before(START_MS)
    assert steady() == START_MS + 10
