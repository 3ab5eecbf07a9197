"""Lines that a stranger causes are bounded for each minute, and counted beyond that."""

import structlog
from structlog.testing import capture_logs

from deskbus.observability.logs.log_throttle import LogThrottle


def test_a_flood_is_a_few_lines_and_the_next_one_counts_it() -> None:
    now_s = 0.0
    with capture_logs() as lines:
        throttle = LogThrottle(structlog.get_logger(), 10, lambda: now_s)
        for _ in range(1_000):
            throttle.log("session.ticket_refused")
        assert len(lines) == 10
        throttle.log("link.no_session")
        assert len(lines) == 11
        now_s = 60.0
        throttle.log("session.ticket_refused")
    assert lines[-1]["left_out"] == 990
