"""Log lines that a stranger can cause: so many a minute, and how many there were beyond."""

import time
from collections.abc import Callable

import structlog

from deskbus.reliability.token_bucket import TokenBucket


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
        self._per_minute = per_minute
        self._monotonic_s = monotonic_s
        self._buckets: dict[str, TokenBucket] = {}
        self._left_out: dict[str, int] = {}

    def log(self, event: str) -> None:
        now_s = self._monotonic_s()
        bucket = self._buckets.get(event)
        if bucket is None:
            bucket = TokenBucket(self._per_minute / 60, self._per_minute, now_s)
            self._buckets[event] = bucket
        if bucket.take(1, now_s):
            self._log.warning(event, left_out=self._left_out.pop(event, 0))
        else:
            self._left_out[event] = self._left_out.get(event, 0) + 1
