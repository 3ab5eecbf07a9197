"""LimitMonitor: one app's usage, sample by sample, judged by its limits."""

from msgspec import UNSET, UnsetType

from deskbus.processes.policy.limit_policy import (
    MEGABYTE,
    SAMPLE_S,
    LimitPolicy,
    LimitVerdict,
    Usage,
    next_sample_s,
)
from deskbus.processes.ports import BusLimit
from deskbus.processes.runtime.app_logs import LogCapture
from deskbus.processes.system.process_table import ProcessIdentity
from deskbus.processes.system.process_tree import Root
from deskbus.processes.system.sampling import Measured, Subject
from deskbus.storage.clocks import wall_ms
from deskbus_protocol.manifest import Limits
from deskbus_protocol.windows import ResourceSample


class LimitMonitor:
    """Times are monotonic seconds."""

    def __init__(self, app: str, limits: Limits, bus_limit: BusLimit) -> None:
        self._app = app
        self._bus_limit = bus_limit
        self.limits = limits
        self.due_at = 0.0
        self.sample: ResourceSample | None = None
        self._policy = LimitPolicy(limits)
        self._last: tuple[float, float, Usage] | None = None

    def begin(self) -> None:
        """A new run: nothing that was counted before counts against it."""
        self.due_at = 0.0
        self.sample = self._last = None
        self._policy = LimitPolicy(self.limits)

    def limit(self, limits: Limits) -> None:
        self.limits = limits
        self._policy = LimitPolicy(limits)
        self._bus_limit.limit(self._app, limits)

    @property
    def warned(self) -> bool:
        return self._policy.warned

    def subject(
        self, root: Root | None, known: set[ProcessIdentity], renderers: list[int]
    ) -> Subject:
        memory = self.limits.memory_mb
        return Subject(
            self._app,
            root,
            frozenset(known),
            tuple(renderers),
            count_files=not isinstance(self.limits.open_files, UnsetType),
            memory_limit=None if isinstance(memory, UnsetType) else memory * MEGABYTE,
        )

    def take(self, now_s: float, found: Measured, capture: LogCapture | None) -> LimitVerdict:
        """Takes a sample in; returns what is to be done about it."""
        cpu_percent, elapsed_s = 0.0, SAMPLE_S
        if self._last is not None:
            elapsed_s = max(now_s - self._last[0], 0.001)
            cpu_percent = max(0.0, found.cpu_s - self._last[1]) / elapsed_s * 100
        messages_per_s, bytes_per_s = self._bus_limit.excess_per_s(self._app)
        usage = Usage(
            cpu_percent=cpu_percent,
            memory=found.memory,
            processes=found.processes,
            open_files=found.open_files,
            log_bytes_per_s=0.0 if capture is None else capture.excess_per_s(),
            messages_per_s=messages_per_s,
            bus_bytes_per_s=bytes_per_s,
        )
        before = None if self._last is None else self._last[2]
        self._last = (now_s, found.cpu_s, usage)
        self.due_at = now_s + next_sample_s(self.limits, before, usage, elapsed_s)
        self.sample = self._sample_of(usage)
        return self._policy.judge(now_s, usage)

    def _sample_of(self, usage: Usage) -> ResourceSample:
        memory = self.limits.memory_mb
        return ResourceSample(
            at=wall_ms(),
            cpu_percent=round(usage.cpu_percent, 1),
            memory_bytes=usage.memory,
            processes=usage.processes,
            cpu_limit_percent=self.limits.cpu_percent,
            memory_limit_bytes=UNSET if isinstance(memory, UnsetType) else memory * MEGABYTE,
        )
