"""DeliveryLatency: how long a message takes through the backend, measured by samples.

It begins when a read has completed a frame, and ends once the message is handed to the kernel for
its readers: in the loop's next turn, for uvloop writes at the end of each. Of each quarter of a
second about `SAMPLES_A_BEAT` reads are measured, evenly spread; where fewer come, every one. Of a
read it is the last message that counts, which has waited for those before it. So the count of the
histogram counts samples, and its percentiles weigh each quarter of a second alike. A message that
waits for a slow or absent reader is not sampled: the ages of queues tell of those. Nor are those of
an app's readers beyond the links that are written to in one turn.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from deskbus.observability.metrics.histogram import Histogram, HistogramSnapshot

SAMPLES_A_BEAT = 25
BEAT_S = 0.25

DeliveryMode = Literal["live", "acknowledged"]


class DeliveryLatency:
    """`since_s` is 0.0 unless the read in progress is a sample; one test of it is the whole cost
    for all others.
    """

    __slots__ = ("_beat_ends_s", "_clock_s", "_histograms", "_left", "_modes", "_reads", "_stride",
                 "_trace_id", "since_s")  # fmt: skip

    def __init__(self, clock_s: Callable[[], float] = time.perf_counter) -> None:
        self._clock_s = clock_s
        self.since_s = 0.0
        self._stride = self._left = 1
        self._reads = 0
        self._beat_ends_s = 0.0
        self._modes: set[DeliveryMode] = set()
        self._trace_id = ""
        self._histograms: dict[DeliveryMode, Histogram] = {
            "live": Histogram(),
            "acknowledged": Histogram(),
        }

    def read_begins(self) -> None:
        self._left -= 1
        if not self._left:
            self._begin()

    def delivered(self, mode: DeliveryMode, trace_id: str = "") -> None:
        """A message of the read in progress was given to a reader that takes it at once."""
        self._modes.add(mode)
        self._trace_id = trace_id or self._trace_id

    def read_ends(self) -> None:
        """Notes that everything caused by the read was written to its transports."""
        if not self.since_s:
            return
        since_s, self.since_s = self.since_s, 0.0
        if self._modes:
            modes, self._modes = self._modes, set()
            trace_id, self._trace_id = self._trace_id, ""
            asyncio.get_running_loop().call_soon(self._observe, since_s, modes, trace_id)

    def snapshots(self) -> dict[str, HistogramSnapshot]:
        return {mode: histogram.snapshot() for mode, histogram in self._histograms.items()}

    def _begin(self) -> None:
        self.since_s = now_s = self._clock_s()
        self._reads += self._stride
        if now_s >= self._beat_ends_s:
            # After a pause the count says nothing of the present rate, so it begins anew.
            fresh = now_s - self._beat_ends_s < BEAT_S
            self._stride = max(1, self._reads // SAMPLES_A_BEAT) if fresh else 1
            self._reads = 0
            self._beat_ends_s = now_s + BEAT_S
        self._left = self._stride

    def _observe(self, since_s: float, modes: set[DeliveryMode], trace_id: str) -> None:
        took_s = self._clock_s() - since_s
        for mode in modes:
            self._histograms[mode].observe(took_s, trace_id)
