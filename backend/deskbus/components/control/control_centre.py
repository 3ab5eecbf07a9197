"""ControlCentre: the state of the whole and its course, for an operator; sampled each second."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from math import isnan, nan

from msgspec import UNSET

from deskbus.bus.traffic import Traffic
from deskbus.components.backend_run import BackendRun
from deskbus.components.capabilities import Capabilities
from deskbus.components.control.operator_needs import needs_of
from deskbus.components.monitoring.health_watch import HealthWatch
from deskbus.observability.metrics.histogram import HistogramSnapshot
from deskbus.observability.sample_ring import Combine, SampleRing, mean
from deskbus.storage.awake_clock import tick_every
from deskbus_protocol.control import (
    CONTROL_APP,
    AppProcessInfo,
    AppUsage,
    ControlAppResult,
    ControlOverview,
    SamplesResult,
    Series,
    UsageResult,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.method import ControlPermission
from deskbus_protocol.permissions import Grant

SAMPLE_S = 1.0

BUSIEST = 8
"""Talkers and topics in the overview."""

USAGE_EVERY = 2
"""Samples of the backend to one of the apps' usage."""

USAGE_KEPT = 150
"""Samples of an app's usage: five minutes."""

COMBINE: dict[Series, Combine] = {
    "received": mean,
    "delivered": mean,
    "receivedBytes": mean,
    "errors": mean,
    "refused": mean,
    "clients": mean,
    "queued": max,
    "latencyP50": mean,
    "latencyP95": max,
    "latencyP99": max,
    "memory": max,
    "loopLag": max,
    "deadLetters": max,
}
"""A coarser step keeps the peaks of what an operator looks for peaks in."""

RATES: tuple[Series, ...] = ("received", "delivered", "receivedBytes", "errors", "refused")
REFUSALS = frozenset({"permission", "rate"})
"""Categories of errors that tell of something forbidden, rather than of something broken."""


class ControlCentre:
    def __init__(self, run: BackendRun, capabilities: Capabilities, health: HealthWatch) -> None:
        self._loops = run.loops
        entrances = capabilities.browser_apps.entrances
        self._operators = None if entrances is None else entrances.operators
        self._messaging = capabilities.messaging
        self._clock_ms = capabilities.messaging.bus.broker.clock_ms
        self._apps = capabilities.apps
        self._permissions = capabilities.access.security.permissions
        self._vault = capabilities.vault
        self._health = health
        self._errors = run.errors
        self._latency = run.latency
        self._tracing = capabilities.tracing.tracer is not None
        self._ring = SampleRing({str(name): combine for name, combine in COMBINE.items()})
        self._before: tuple[float, dict[Series, float]] | None = None
        self._latency_before: list[int] = []
        self._ticks = 0
        self._usage: dict[str, deque[tuple[float, int]]] = {}
        self.traffic = Traffic(capabilities.messaging.bus)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._loops.running(partial(tick_every, SAMPLE_S, self.sample)):
            yield

    def permits(self, identity: ClientId, permission: ControlPermission) -> bool:
        """Whether an app was granted the permission, or a browser let in with it.

        Nobody is asked.
        """
        if identity.app == CONTROL_APP:
            return self._operators is not None and self._operators.permits(identity, permission)
        return self._permissions.state_of(identity, Grant(permission, "all")) == "granted"

    def acts_until_ms(self, identity: ClientId) -> int | None:
        """When the right to act ends by itself, in Unix milliseconds; None where it does not."""
        return None if self._operators is None else self._operators.acts_until_ms(identity)

    def sample(self) -> None:
        """Takes a sample of everything."""
        now_s = self._clock_ms() / 1000
        totals, values = self._totals(), self._gauges()
        if self._before is not None:
            then_s, before = self._before
            elapsed_s = max(now_s - then_s, 0.001)
            for name in RATES:
                values[name] = max(0.0, totals[name] - before[name]) / elapsed_s
        self._before = (now_s, totals)
        self._ring.add(now_s, {str(name): value for name, value in values.items()})
        self._ticks += 1
        if self._ticks % USAGE_EVERY == 0:
            self._sample_apps()
        self.traffic.rest()

    def samples(self, span_ms: int) -> SamplesResult:
        course = self._ring.course(span_ms / 1000)
        return SamplesResult(
            step=course.step_s * 1000,
            times=[end_s * 1000 for end_s in course.ends_s],
            series={
                name: [None if isnan(value) else value for value in course.series[name]]
                for name in COMBINE
            },
        )

    def usage(self) -> UsageResult:
        return UsageResult(
            step=int(SAMPLE_S * USAGE_EVERY * 1000),
            apps=[
                AppUsage(
                    app=app,
                    cpu=[cpu for cpu, _ in samples],
                    memory=[memory for _, memory in samples],
                )
                for app, samples in self._usage.items()
            ],
        )

    async def overview(self, *, acts: bool, acts_until: int | None = None) -> ControlOverview:
        report = self._health.monitor.report()
        bus = self._messaging.bus
        stats = bus.statistics()
        apps = self._apps.manager.statuses()
        talkers, topics = await self.traffic.busiest(BUSIEST)
        persistence = self._messaging.persistence
        return ControlOverview(
            status=report.status,
            version=report.version,
            epoch=report.epoch,
            uptime=report.uptime,
            now=self._clock_ms(),
            components=report.components,
            needs=needs_of(
                report.components,
                apps,
                self._vault.status(),
                dead_letters=len(bus.dead_letters),
                slow_readers=stats.slow_readers,
                full_queues=sum(member.queue.full for member in bus.members),
                log_findings=0 if persistence is None else persistence.statistics().log.findings,
            ),
            talkers=talkers,
            topics=topics,
            clients=stats.clients,
            offline_clients=stats.offline_clients,
            subscriptions=stats.subscriptions,
            topic_count=stats.topics,
            apps_running=sum(app.is_alive for app in self._apps.manager.apps),
            apps=len(apps),
            acts=acts,
            acts_until=UNSET if acts_until is None else acts_until,
            tracing=self._tracing,
        )

    async def app(self, name: str) -> ControlAppResult:
        """Raises `DeskbusError`: not_found, unavailable."""
        found = self._apps.manager.find(name)
        tree = await self._apps.manager.tree(name)
        crash = found.history.crash
        return ControlAppResult(
            processes=[
                AppProcessInfo(
                    pid=each.row.identity.pid,
                    parent=each.row.parent,
                    name=each.name,
                    memory_bytes=each.row.memory,
                    cpu=int(each.row.cpu_s * 1000),
                    window=each.draws,
                )
                for each in tree
            ],
            log=[*(crash.log if crash else [])] if found.run is None else found.run.capture.tail,
            crashes=list(reversed(found.history.crashes)),
        )

    def _totals(self) -> dict[Series, float]:
        broker = self._messaging.bus.broker
        refused = sum(n for name, n in self._errors.by_category.items() if name in REFUSALS)
        return {
            "received": broker.messages_in,
            "delivered": broker.messages_out,
            "receivedBytes": broker.bytes_in,
            "errors": self._errors.by_category.total() - refused,
            "refused": refused,
        }

    def _gauges(self) -> dict[Series, float]:
        bus = self._messaging.bus
        values: dict[Series, float] = {
            "clients": sum(member.here for member in bus.members),
            "queued": sum(len(member.queue) for member in bus.members),
            "deadLetters": len(bus.dead_letters),
            "loopLag": self._health.lag.last_s,
            "memory": self._apps.manager.own_memory() or nan,
        }
        snapshot = self._new_latencies()
        if snapshot is not None:
            values["latencyP50"] = snapshot.quantile_s(0.5)
            values["latencyP95"] = snapshot.quantile_s(0.95)
            values["latencyP99"] = snapshot.quantile_s(0.99)
        return values

    def _new_latencies(self) -> HistogramSnapshot | None:
        """Latencies observed since the last sample, of all modes together."""
        if self._latency is None:
            return None
        snapshots = list(self._latency.snapshots().values())
        counts = [sum(each) for each in zip(*(one.counts for one in snapshots), strict=True)]
        before = self._latency_before or [0] * len(counts)
        self._latency_before = counts
        new = [count - old for count, old in zip(counts, before, strict=True)]
        return HistogramSnapshot(snapshots[0].bounds, new, 0.0, ()) if any(new) else None

    def _sample_apps(self) -> None:
        names = set()
        for app in self._apps.manager.apps:
            sample = app.limit_monitor.sample if app.is_alive else None
            name = app.spec.app
            names.add(name)
            if sample is None and name not in self._usage:
                continue
            kept = self._usage.setdefault(name, deque(maxlen=USAGE_KEPT))
            cpu, memory = (0.0, 0) if sample is None else (sample.cpu_percent, sample.memory_bytes)
            kept.append((cpu, memory))
        for gone in self._usage.keys() - names:
            del self._usage[gone]
