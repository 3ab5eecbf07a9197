"""HealthMonitor: every component says how it is; the worst is the backend's own state."""

import time
from collections.abc import Callable

from deskbus import __version__
from deskbus_protocol.health import ComponentHealth, HealthResult, Status

Check = Callable[[], ComponentHealth]

_WORST_FIRST: tuple[Status, ...] = ("failed", "degraded", "ok")


class HealthMonitor:
    def __init__(self, epoch: str, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._epoch = epoch
        self._monotonic_s = monotonic_s
        self._started_at = monotonic_s()
        self._checks: dict[str, Check] = {}

    def watch(self, component: str, check: Check) -> None:
        self._checks[component] = check

    def report(self) -> HealthResult:
        components = {name: check() for name, check in self._checks.items()}
        found = {component.status for component in components.values()}
        worst: Status = next((status for status in _WORST_FIRST if status in found), "ok")
        return HealthResult(
            status=worst,
            version=__version__,
            epoch=self._epoch,
            uptime=int((self._monotonic_s() - self._started_at) * 1000),
            components=components,
        )
