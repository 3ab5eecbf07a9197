"""Health: the worst component counts, and a change of status is told."""

import anyio
import pytest

from deskbus.reliability.circuit_breaker import BreakerPolicy, CircuitBreaker
from deskbus.reliability.health_monitor import HealthMonitor
from deskbus_protocol.health import ComponentHealth, Status


class Rig:
    def __init__(self) -> None:
        self.told: list[tuple[str, Status]] = []
        self.now_s = 100.0
        self.disk = ComponentHealth(status="ok")
        self.monitor = HealthMonitor(
            "e1",
            on_changed=lambda name, health: self.told.append((name, health.status)),
            monotonic_s=lambda: self.now_s,
        )
        self.monitor.watch("disk", lambda: self.disk)
        self.monitor.watch("shell", lambda: ComponentHealth(status="off"))


@pytest.mark.requirement("6.4")
def test_the_backend_is_as_well_as_its_worst_component() -> None:
    rig = Rig()
    assert rig.monitor.report().status == "ok"
    rig.disk = ComponentHealth(status="failed")
    assert rig.monitor.report().status == "failed"


@pytest.mark.requirement("6.4")
def test_a_change_of_status_is_told_once_and_a_change_of_words_is_not() -> None:
    rig = Rig()
    rig.monitor.look()
    rig.told.clear()
    rig.disk = ComponentHealth(status="degraded", detail="full")
    rig.monitor.look()
    rig.disk = ComponentHealth(status="degraded", detail="fuller")
    rig.monitor.look()
    rig.disk = ComponentHealth(status="ok")
    rig.monitor.look()
    assert rig.told == [("disk", "degraded"), ("disk", "ok")]


@pytest.mark.requirement("6.1")
def test_the_report_tells_how_long_an_open_breaker_waits() -> None:
    rig = Rig()
    breaker = CircuitBreaker("disk", monotonic_s=lambda: rig.now_s)
    rig.monitor.watch_breaker(breaker)
    for _ in range(5):
        attempt = breaker.begin()
        assert attempt
        attempt.failed()
    rig.now_s += 10
    status = rig.monitor.report().breakers["disk"]
    assert (status.state, status.failures, status.openings, status.wait) == ("open", 5, 1, 20_000)


@pytest.mark.requirement("6.1")
def test_each_change_of_a_breaker_is_told_at_once() -> None:
    rig = Rig()
    policy = BreakerPolicy(failures=1, open_s=30.0, successes=1)
    breaker = CircuitBreaker("keychain", policy=policy, monotonic_s=lambda: rig.now_s)
    rig.monitor.watch_breaker(breaker)
    attempt = breaker.begin()
    assert attempt is not None
    attempt.failed()
    assert rig.told == [("breaker:keychain", "degraded")]
    rig.now_s += 30
    trial = breaker.begin()
    assert trial is not None
    trial.succeeded()
    assert [status for _, status in rig.told] == ["degraded", "degraded", "ok"]


@pytest.mark.requirement("6.4")
async def test_an_app_is_told_what_has_changed_just_before_its_call_and_no_words() -> None:
    rig = Rig()
    assert (await rig.monitor.statuses()).status == "ok"
    rig.disk = ComponentHealth(status="degraded", detail="full")
    assert (await rig.monitor.statuses()).components["disk"] == ComponentHealth(status="degraded")


async def test_calls_that_come_while_looks_rest_share_the_next_one() -> None:
    rig = Rig()
    looks = 0

    def slow() -> ComponentHealth:
        nonlocal looks
        looks += 1
        rig.now_s += 0.001
        return rig.disk

    rig.monitor.watch("disk", slow)
    await rig.monitor.statuses()
    found: list[Status] = []

    async def ask() -> None:
        found.append((await rig.monitor.statuses()).status)

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert (looks, found) == (1, [])
        rig.disk = ComponentHealth(status="degraded")
        rig.now_s += 1
    assert (looks, found) == (2, ["degraded"] * 50)
