"""HealthMonitor: the health of each component; the worst is the backend's own."""

import time
from collections.abc import Callable

import anyio

from deskbus import __version__
from deskbus.reliability.circuit_breaker import CircuitBreaker
from deskbus_protocol.health import BreakerStatus, ComponentHealth, HealthResult, Status
from deskbus_protocol.wording.quantity import counted

Check = Callable[[], ComponentHealth]

LOOK_EVERY_S = 1.0

RESTS_PER_LOOK = 10
"""Looks for apps are apart by this many times what the last one took."""

_WORST_FIRST: tuple[Status, ...] = ("failed", "degraded", "ok")


class HealthMonitor:
    def __init__(
        self,
        epoch: str,
        *,
        on_changed: Callable[[str, ComponentHealth], None],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_changed` is told the component whose status is another than a moment ago."""
        self._epoch = epoch
        self._on_changed = on_changed
        self._monotonic_s = monotonic_s
        self._started_at_s = monotonic_s()
        self._checks: dict[str, Check] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._reported: dict[str, Status] = {}
        self._looks = 0
        self._next_look_s = self._started_at_s
        self._statuses: dict[str, ComponentHealth] = {}

    def watch(self, component: str, check: Check) -> None:
        self._checks[component] = check

    def watch_breaker(self, breaker: CircuitBreaker) -> None:
        """Its changes are told at once, as those of a component `breaker:NAME`."""
        self._breakers[breaker.name] = breaker
        breaker.changed.add(self._breaker_changed)

    def _breaker_changed(self, breaker: CircuitBreaker) -> None:
        detail = f"{breaker.state} after {counted(breaker.failures, 'failure')}"
        status: Status = "ok" if breaker.state == "closed" else "degraded"
        if breaker.state == "open":
            detail += f"; tried again in {breaker.wait_s:.0f} s"
        self._on_changed(f"breaker:{breaker.name}", ComponentHealth(status=status, detail=detail))

    def report(self) -> HealthResult:
        return self._result({name: check() for name, check in self._checks.items()})

    def _result(self, components: dict[str, ComponentHealth]) -> HealthResult:
        found = {component.status for component in components.values()}
        worst: Status = next((status for status in _WORST_FIRST if status in found), "ok")
        return HealthResult(
            status=worst,
            version=__version__,
            epoch=self._epoch,
            uptime=int((self._monotonic_s() - self._started_at_s) * 1000),
            components=components,
            breakers={name: _status_of(breaker) for name, breaker in self._breakers.items()},
        )

    async def statuses(self) -> HealthResult:
        """As of a look after the call, without words.

        A caller while looks rest waits for the next, and all who wait share it: however many
        calls come, looks take a bounded share of the loop.
        """
        came = self._looks
        while self._looks == came:
            rest_s = self._next_look_s - self._monotonic_s()
            if rest_s > 0:
                await anyio.sleep(rest_s)
            else:
                self._look_for_statuses()
        return self._result(self._statuses)

    def _look_for_statuses(self) -> None:
        began_s = self._monotonic_s()
        self._statuses = {
            name: ComponentHealth(status=check().status) for name, check in self._checks.items()
        }
        self._looks += 1
        ended_s = self._monotonic_s()
        self._next_look_s = ended_s + RESTS_PER_LOOK * (ended_s - began_s)

    async def run(self) -> None:
        """Looks again and again until cancelled; what it finds first is no change."""
        self._reported = {name: check().status for name, check in self._checks.items()}
        while True:
            await anyio.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        for name, check in self._checks.items():
            health = check()
            if self._reported.get(name, "ok") != health.status:
                self._reported[name] = health.status
                self._on_changed(name, health)


def _status_of(breaker: CircuitBreaker) -> BreakerStatus:
    return BreakerStatus(
        state=breaker.state,
        failures=breaker.failures,
        openings=breaker.openings,
        wait=int(breaker.wait_s * 1000),
    )
