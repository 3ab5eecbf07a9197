"""The event loop's lag."""

import pytest

from deskbus.observability.loop_lag import REMEMBERED_BEATS, LoopLag


@pytest.mark.requirement("6.4")
def test_a_blocked_loop_shows_for_a_minute() -> None:
    lag = LoopLag()
    lag.record(-0.001)
    assert lag.health().status == "ok"
    lag.record(0.4)
    assert lag.health().status == "degraded"
    assert lag.health().detail == "at worst 400 ms late in the last minute"
    for _ in range(REMEMBERED_BEATS):
        lag.record(0.002)
    assert lag.health().status == "ok"
