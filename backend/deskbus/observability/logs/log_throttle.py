"""LogThrottle: bounds the log lines that an unauthenticated peer can cause."""

import time
from collections.abc import Callable

import structlog

from deskbus.reliability.throttle import Throttle

MINUTE_S = 60.0
MAX_EVENTS = 64


class LogThrottle:
    """Warns at most `per_minute` times a minute of each event; the next line counts those left out.

    Its events are a program's own few words, never text from a peer.
    """

    def __init__(
        self,
        log: structlog.typing.WrappedLogger,
        per_minute: int,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._monotonic_s = monotonic_s
        self._throttle: Throttle[str] = Throttle(per_minute, MINUTE_S, MAX_EVENTS)

    def log(self, event: str) -> None:
        found = self._throttle.take(event, self._monotonic_s())
        if found.passes:
            self._log.warning(event, left_out=found.left_out)
