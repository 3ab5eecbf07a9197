"""LoopLag: the delay of the event loop. A call that blocks it holds every app up."""

import time
from collections import deque
from collections.abc import Callable

import anyio

from deskbus.languages.health_words import phrase, told
from deskbus.observability.metrics.histogram import Histogram
from deskbus_protocol.health import ComponentHealth

BEAT_S = 0.25
REMEMBERED_BEATS = 240
"""A minute's worth."""

LATE_S = 0.25
"""More than this in the last minute is worth an operator's attention."""


class LoopLag:
    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._lags_s: deque[float] = deque(maxlen=REMEMBERED_BEATS)
        self.histogram = Histogram()

    async def run(self) -> None:
        """Measures until cancelled."""
        while True:
            began_s = self._monotonic_s()
            await anyio.sleep(BEAT_S)
            self.record(self._monotonic_s() - began_s - BEAT_S)

    def record(self, lag_s: float) -> None:
        self._lags_s.append(max(lag_s, 0.0))
        self.histogram.observe(max(lag_s, 0.0))

    @property
    def last_s(self) -> float:
        """The worst of the last second."""
        return max(list(self._lags_s)[-int(1 / BEAT_S) :], default=0.0)

    @property
    def worst_s(self) -> float:
        """The worst of the last minute."""
        return max(self._lags_s, default=0.0)

    def health(self) -> ComponentHealth:
        words = phrase("lag", ms=round(self.worst_s * 1000))
        return told("degraded" if self.worst_s > LATE_S else "ok", words)
