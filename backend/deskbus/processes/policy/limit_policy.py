"""LimitPolicy: an app over its limits is warned first, and ended at the last strike. Pure."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from deskbus_protocol.apps import LimitName
from deskbus_protocol.manifest import Limits

SAMPLE_S = 1.0
"""Between two samples that may be strikes. In between only what must be ended at once counts."""

QUICK_SAMPLE_S = 0.1
"""Between two samples of an app that grows towards a limit."""

FAR_OVER: dict[LimitName, float] = {"memory": 1.25, "processes": 2.0}
"""The multiple of a limit at which an app is ended without a warning: others would suffer."""

FORESIGHT_S = 3.0
"""An app that would reach a limit within this time is sampled quickly."""

MEGABYTE = 1024 * 1024


def open_files_ceiling(limit: int) -> int:
    """The OS's own limit of open files: above the app's, so that an app beyond its limit is found
    and warned before its calls fail.
    """
    return limit + max(limit, 64)


UNITS: dict[LimitName, str] = {
    "cpu": "percent",
    "memory": "bytes",
    "processes": "processes",
    "open_files": "files",
    "log": "bytes/s",
    "messages": "messages/s",
    "bus_bytes": "bytes/s",
}


class Usage(NamedTuple):
    """The usage of an app's tree. The last three are rates, and 0 while nothing was refused."""

    cpu_percent: float = 0.0
    memory: int = 0
    processes: int = 0
    open_files: int = 0
    log_bytes_per_s: float = 0.0
    messages_per_s: float = 0.0
    bus_bytes_per_s: float = 0.0


class Excess(NamedTuple):
    """An exceeded limit, in the unit of `UNITS`."""

    limit: LimitName
    measured: float
    allowed: float


class LimitVerdict(NamedTuple):
    action: Literal["fine", "warn", "end"]
    excess: Excess | None = None


class LimitPolicy:
    """Counts, for one run of an app, the samples in a row that were over each limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._counts: dict[LimitName, int] = {}
        self._counted_at: float | None = None

    def judge(self, now_s: float, usage: Usage) -> LimitVerdict:
        """`warn` comes once for each row of strikes."""
        over = list(excesses(self._limits, usage))
        for excess in over:
            if excess.measured >= excess.allowed * FAR_OVER.get(excess.limit, float("inf")):
                return LimitVerdict("end", excess)
        if self._counted_at is not None and now_s - self._counted_at < SAMPLE_S * 0.9:
            return LimitVerdict("fine")
        self._counted_at = now_s
        self._counts = {each.limit: self._counts.get(each.limit, 0) + 1 for each in over}
        for excess in over:
            if self._counts[excess.limit] >= self._limits.strikes:
                return LimitVerdict("end", excess)
        for excess in over:
            if self._counts[excess.limit] == 1:
                return LimitVerdict("warn", excess)
        return LimitVerdict("fine")

    @property
    def warned(self) -> bool:
        return bool(self._counts)


def excesses(limits: Limits, usage: Usage) -> Iterator[Excess]:
    """The limits that are exceeded now."""
    log_limit = limits.log_kb_per_s * 1024
    pairs: tuple[tuple[LimitName, float, object, float], ...] = (
        ("memory", usage.memory, limits.memory_mb, MEGABYTE),
        ("processes", usage.processes, limits.processes, 1),
        ("cpu", usage.cpu_percent, limits.cpu_percent, 1),
        ("open_files", usage.open_files, limits.open_files, 1),
        ("log", usage.log_bytes_per_s, log_limit, 1),
        ("messages", usage.messages_per_s, limits.messages_per_s, 1),
        ("bus_bytes", usage.bus_bytes_per_s, limits.bus_kb_per_s, 1024),
    )
    for name, measured, limit, factor in pairs:
        if isinstance(limit, int | float) and measured > limit * factor:
            yield Excess(name, measured, limit * factor)


def next_sample_s(limits: Limits, before: Usage | None, now: Usage, elapsed_s: float) -> float:
    """Seconds until the next sample, by the rate at which the app grows."""
    for of, limit, factor in (
        ("memory", limits.memory_mb, MEGABYTE),
        ("processes", limits.processes, 1),
        ("open_files", limits.open_files, 1),
    ):
        if not isinstance(limit, int):
            continue
        used = getattr(now, of)
        grown = used - (getattr(before, of) if before else 0)
        if grown > 0 and used + grown / elapsed_s * FORESIGHT_S > limit * factor:
            return QUICK_SAMPLE_S
    return SAMPLE_S
