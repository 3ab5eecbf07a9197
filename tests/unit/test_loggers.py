"""The suite's own promise: logging that one test sets up is gone in the next."""

import structlog
from structlog.testing import capture_logs

from deskbus.observability.logs import log_pipeline

log = structlog.get_logger()


def test_a_test_sets_up_logging_and_logs() -> None:
    log_pipeline.configure(level="error")
    log.error("first.use")


def test_the_next_test_captures_what_the_same_logger_says() -> None:
    with capture_logs() as told:
        log.info("second.use")
    assert [each["event"] for each in told] == ["second.use"]
