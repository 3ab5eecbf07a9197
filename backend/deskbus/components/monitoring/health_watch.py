"""HealthWatch: the health of every component, and of the process itself."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

import structlog

from deskbus.components.backend_run import BackendRun
from deskbus.observability.disk_space import DiskSpace
from deskbus.observability.garbage_collection import GarbageCollection
from deskbus.observability.loop_lag import LoopLag
from deskbus.reliability.circuit_breaker import CircuitBreaker
from deskbus.reliability.health_monitor import Check, HealthMonitor
from deskbus.storage.awake_clock import awake_s
from deskbus.storage.folder_exposure import exposure
from deskbus.ui.shell import Shell
from deskbus_protocol.health import ComponentHealth, HealthChangedParams

log = structlog.get_logger()


class HealthWatch:
    def __init__(
        self,
        run: BackendRun,
        *,
        shell: Shell,
        checks: Mapping[str, Check],
        breakers: Iterable[CircuitBreaker],
        on_changed: Callable[[str, ComponentHealth], None] = lambda _, __: None,
    ) -> None:
        """`on_changed` is told each change, beside the shell."""
        self._shell = shell
        self._on_changed = on_changed
        self._loops = run.loops
        self.lag = LoopLag()
        self.disk = DiskSpace(run.settings.data_dir, lambda folder: exposure(folder)[1])
        # A collection waits until no bytes come in.
        self._collector = GarbageCollection(lambda: run.traffic.received_bytes)
        self.monitor = HealthMonitor(run.epoch, on_changed=self._tell)
        for component, check in checks.items():
            self.monitor.watch(component, check)
        self.monitor.watch("eventLoop", self.lag.health)
        self.monitor.watch("disk", self.disk.health)
        for breaker in breakers:
            self.monitor.watch_breaker(breaker)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        watches = (self.monitor.run, self.lag.run, self.disk.run, self._collector.run)
        async with self._loops.running(awake_s.run, *watches):
            yield

    def _tell(self, component: str, health: ComponentHealth) -> None:
        log.log(
            logging.INFO if health.status == "ok" else logging.WARNING,
            "health.changed",
            component=component,
            status=health.status,
            detail=health.detail or "",
        )
        changed = HealthChangedParams(component=component, health=health)
        self._shell.tell("health.changed", component, changed)
        self._on_changed(component, health)
