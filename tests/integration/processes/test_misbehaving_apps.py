"""One app misbehaves, and only that one ends: nine others go on without losing a message."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from demo.processes import Process, command_of, eventually, runs, tree
from tests.integration.processes.app_ring import Ring, percentile, running_ring

BAD = {
    "memory": ("memory_mb = 160", ""),
    "fork": ("processes = 12", ""),
    "spin": ("cpu_percent = 20, strikes = 2", ""),
    "log": ("log_kb_per_s = 16, strikes = 2", ""),
    "bus": ("messages_per_s = 500, strikes = 2", ""),
    "stubborn": ("", ""),
    "hide": ("", ""),
    "close": ("", "heartbeat = { deadline_s = 1, kill_after_s = 0.2 }"),
    "crash": ("", ""),
    "never-ready": ("", "ready_within_s = 1.0"),
}

MESSAGES = 20
GONE_WITHIN_S = 3.0


# Its neighbours are held against limits of CPU and time.
pytestmark = pytest.mark.serial


@pytest.fixture(scope="module")
async def ring(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ring]:
    async with running_ring(tmp_path_factory.mktemp("ring"), BAD) as started:
        yield started


async def misbehave(ring: Ring, what: str) -> dict[str, Any]:
    """Lets it happen amid the others' messages; returns how the offender ended."""
    app = f"bad.{what}"
    before = await ring.pass_on(MESSAGES)
    await ring.launch(app)
    if what != "never-ready":
        await ring.state(app, "ready")
        await ring.watch.publish("bad.go", {}, confirm=True)
    if what == "stubborn":
        await ring.shell.client.call("apps.terminate", {"app": app})
    ended = await ring.until(app, lambda status: status["state"] in ("stopped", "crashed"))
    during = await ring.pass_on(1)
    after = await ring.pass_on(MESSAGES)
    told = {"before": before, "during": during, "after": after}
    words = [f"{k} {percentile(d, 0.5):.2f}/{percentile(d, 0.99):.2f}" for k, d in told.items()]
    print(f"\n{what:<12} p50/p99 ms: {', '.join(words)}")
    return ended


async def check_the_others(ring: Ring) -> None:
    """Nothing was lost, nobody else was touched, and nothing is left of the offender."""
    assert ring.lost == 0
    neighbours = {app: status for app, status in ring.statuses.items() if app.startswith("ring.")}
    assert {status["state"] for status in neighbours.values()} == {"ready"}
    assert {status["restarts"] for status in neighbours.values()} == {0}
    assert await eventually(lambda: not left_of(ring), GONE_WITHIN_S), left_of(ring)


def left_of(ring: Ring) -> list[Process]:
    """The backend's descendants, besides the neighbours and its watchdog."""
    known = {"neighbour.js", "watchdog.py"}
    return [
        process
        for process in tree(ring.shell.process.pid)[1:]
        if not any(word in " ".join(command_of(process)) for word in known) and runs(process)
    ]


@pytest.mark.requirement("4.4")
@pytest.mark.parametrize(
    ("what", "limit"),
    [
        ("memory", "memory"),
        ("fork", "processes"),
        ("spin", "cpu"),
        ("log", "log"),
        ("bus", "messages"),
    ],
)
async def test_only_the_app_over_its_limit_is_ended(ring: Ring, what: str, limit: str) -> None:
    ended = await misbehave(ring, what)
    assert ended["state"] == "crashed"
    assert ended["crash"]["cause"] == "limit"
    assert ended["crash"]["limit"] == limit
    assert "allowed" in ended["crash"]["detail"]
    assert ended["crash"]["sample"]["processes"] >= 1
    await check_the_others(ring)


@pytest.mark.requirement("4.2")
@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("crash", "signal"),
        ("close", "hung"),
        ("never-ready", "never_ready"),
        ("hide", "exit"),
    ],
)
async def test_a_crash_is_told_apart_and_leaves_the_others_running(
    ring: Ring, what: str, cause: str
) -> None:
    ended = await misbehave(ring, what)
    assert ended["crash"]["cause"] == cause
    if what == "crash":
        assert ended["crash"]["signal"] == "SIGSEGV"
        assert ended["exitCode"] == -11
    if what == "hide":
        assert ended["exitCode"] == 7
    await check_the_others(ring)


@pytest.mark.requirement("4.5")
async def test_an_app_that_ignores_its_end_is_killed(ring: Ring) -> None:
    ended = await misbehave(ring, "stubborn")
    assert ended["state"] == "stopped"
    await check_the_others(ring)


@pytest.mark.requirement("4.3")
async def test_what_each_app_uses_is_told_with_all_its_processes(ring: Ring) -> None:
    told = await ring.shell.client.call("apps.stats", {}, result=dict)
    stats = {each["app"]: each for each in told["apps"]}
    first = stats["ring.n0"]
    assert first["sample"]["memoryBytes"] > 10_000_000
    assert first["sample"]["processes"] == 1
    assert first["openFiles"] > 3
    assert first["pid"] == ring.statuses["ring.n0"]["pid"]
    assert "sample" not in stats["bad.memory"]
