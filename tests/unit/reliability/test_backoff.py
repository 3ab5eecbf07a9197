"""Waits between attempts."""

import pytest

from deskbus.reliability.backoff import Backoff


@pytest.mark.requirement("6.1")
def test_waits_double_up_to_a_bound_and_start_again() -> None:
    backoff = Backoff(chance=lambda: 0.0)
    assert [backoff.next_s() for _ in range(7)] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.reset()
    assert backoff.next_s() == 0.25


def test_jitter_takes_away_at_most_half() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(2)] == [0.125, 0.25]
