"""Clients, prompts, runs and the like come and go, and leave every collection as it was."""

import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.client import Client, connect, open_session
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, TestShell, start_shell

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="it is asked by a named pipe"),
]

WARM_UP, TIMES = 4, 30
FEW = 10
"""Of what takes longer."""

PROMPTS = 4
"""A person has a second and a half between two of one app."""

APP, BRIEF = "desk.app", "desk.brief"
CONFIG = f"""
[[apps]]
id = "{APP}"
name = "App"
grants = [
    {{ permission = "messaging.read", scope = "t.#" }},
    {{ permission = "messaging.write", scope = "t.#" }},
    {{ permission = "history", scope = "t.#" }},
    {{ permission = "secrets", scope = "own" }},
]
declares = [{{ permission = "messaging.read", scope = "asked.#" }}]

[[apps]]
id = "{BRIEF}"
name = "Brief"
process = {{ entry = {sys.executable!r}, args = ["-c", "import time; time.sleep(3600)"] }}

[persistence]
topics = ["t.log.#"]

[fdc3]
consent = "allow"

[tracing]
enabled = true
"""

LATE = "deskbus.rpc.dispatch.jsonrpc_dispatcher."
"""The last that a start imports."""

BOUNDED = (
    # Rings of samples, of spans and of FDC3's traces.
    "deskbus.observability.",
    "deskbus.fdc3.trace.",
    "deskbus_protocol.fdc3.Fdc3TraceEntry",
    "deskbus.audit.",
    # MAX_TOPICS, with HISTORY_MESSAGES each; MAX_KNOWN_TOPICS.
    "deskbus.bus.route.Topic",
    "deskbus.bus.topic_table.",
    "deskbus.persistence.topic_log.TopicLog._known",
    # MAX_VERDICTS, until the rules change.
    "deskbus.security.permission_checker.PermissionChecker._verdicts",
    "deskbus.security.model.effective_permissions.PermissionVerdict",
    # MAX_OPEN_TICKETS, for TICKET_LIFE_S: those of runs that ended before they came.
    "deskbus.security.tickets.one_time_tickets.",
    # MAX_REMOVALS, until the vault is open.
    "deskbus.security.decisions.decision_table.Removal",
    "deskbus.security.decisions.decision_table.DecisionTable._taken_back",
    # MAX_CHANNELS; clients that are gone are forgotten when a layout is kept, or beyond it.
    "deskbus.components.desk_layouts.DeskLayouts._channels",
    # MAX_TOLD, and the buckets in them; max_kinds of each throttle.
    "deskbus.ui.shell.",
    "deskbus.reliability.token_bucket.TokenBucket",
    "deskbus.reliability.throttle.",
)
"""Collections that keep the past or a cache, each within the bound that is named."""


class Desk:
    def __init__(self, shell: TestShell, asked: Path, sizes: Path) -> None:
        self.shell = shell
        self._asked = asked
        self._sizes = sizes

    async def sizes(self) -> Counter[str]:
        self._sizes.unlink(missing_ok=True)
        await anyio.to_thread.run_sync(self._asked.write_bytes, b"")
        with anyio.fail_after(LIMIT_S):
            while not self._sizes.exists():
                await anyio.sleep(0.02)
        return Counter(json.loads(self._sizes.read_text()))

    async def call(self, method: str, **params: object) -> Any:
        return await self.shell.client.call(method, params, result=dict)


Activity = Callable[[Desk, Client, int], Awaitable[None]]


async def subscriptions(desk: Desk, app: Client, number: int) -> None:
    await app.call("bus.subscribe", {"pattern": f"t.{number}.#"})
    await app.call("bus.subscribe", {"pattern": "t.*.a", "mode": "acknowledged"})
    await app.call("bus.watchSubscribers", {"enabled": True})
    await app.publish("t.same", number, confirm=True)
    await app.publish("t.log.same", number, durable=True, confirm=True)
    await app.call("bus.replay", {"pattern": "t.log.#", "since": 0, "follow": True})
    await app.call("bus.unsubscribe", {"pattern": f"t.{number}.#"})


async def requests(desk: Desk, app: Client, number: int) -> None:
    await app.call("bus.subscribe", {"pattern": "t.ask"})
    for timeout in (1, 2):
        with pytest.raises(DeskbusError):
            await app.call("bus.request", {"topic": "t.ask", "payload": 1, "timeout": timeout})
    with anyio.move_on_after(0.01):
        await app.call("bus.request", {"topic": "t.ask", "payload": 1, "timeout": 60_000})


async def prompts(desk: Desk, app: Client, number: int) -> None:
    """One that is answered, one that is taken back while it is open."""
    wanted = {"permission": "messaging.read", "scope": f"asked.n{number}", "reason": "to read"}
    await app.call("permissions.request", wanted)
    with anyio.move_on_after(0.001):
        await app.call("permissions.request", {**wanted, "scope": f"asked.again.n{number}"})
    await desk.call("permissions.revoke", app=APP)
    await desk.call("permissions.resetEmbargo", app=APP)


async def panels(desk: Desk, app: Client, number: int) -> None:
    for name in ("audit", "permissions"):
        opened = await desk.call("panels.open", name=name)
        looks = {"panel": opened["panel"], "query": {"search": f"n{number}"}}
        await desk.shell.client.notify("ui.panelQuery", looks)
        await desk.shell.client.notify("ui.panelClosed", {"panel": opened["panel"]})


async def secrets(desk: Desk, app: Client, number: int) -> None:
    await app.call("secrets.set", {"name": "one", "value": f"v{number}"})
    await app.call("secrets.get", {"name": "one"})
    await app.call("secrets.delete", {"name": "one"})


async def agents(desk: Desk, app: Client, number: int) -> None:
    meta = {"requestUuid": f"r{number}", "timestamp": "2026-01-01T00:00:00Z"}
    await app.call("fdc3.connect", {})
    for kind, payload in (
        ("joinUserChannelRequest", {"channelId": "fdc3.channel.1"}),
        ("addContextListenerRequest", {"channelId": "fdc3.channel.1", "contextType": None}),
        ("createPrivateChannelRequest", {}),
    ):
        message = {"type": kind, "meta": meta, "payload": payload}
        await app.call("fdc3.send", {"message": message})
    await app.call("fdc3.disconnect", {})


async def strangers(desk: Desk, app: Client, number: int) -> None:
    async with connect(desk.shell.hello.pipe) as stranger:
        with pytest.raises(DeskbusError):
            await open_session(stranger, "x" * 20, APP)
    for method in ("session.mintTicket", "bus.purge", "no.such", "vault.export"):
        with pytest.raises(DeskbusError):
            await app.call(method, {})


async def runs(desk: Desk, app: Client, number: int) -> None:
    await desk.call("apps.launch", app=BRIEF)
    await desk.call("apps.terminate", app=BRIEF)


ACTIVITIES: Mapping[Activity, int] = {
    **dict.fromkeys((subscriptions, requests, secrets, agents, strangers), TIMES),
    **dict.fromkeys((panels, runs), FEW),
    prompts: PROMPTS,
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("tables")
    asked, sizes = folder / "asked", folder / "sizes.json"
    os.mkfifo(asked)
    command = (sys.executable, "-m", "tests.integration.programs.counted_backend")
    env = {**os.environ, "COUNTED_ASKED": str(asked), "COUNTED_SIZES": str(sizes)}
    async with start_shell(folder / "data", config=CONFIG, command=command, env=env) as shell:
        shell.person = shell.deny
        shell.client.handle("ui.openPanel", _drawn)
        desk = Desk(shell, asked, sizes)
        with anyio.fail_after(LIMIT_S):
            while not any(name.startswith(LATE) for name in await desk.sizes()):
                await anyio.sleep(0.1)
        yield desk


async def _drawn(_: object) -> object:
    return {}


async def come_and_go(desk: Desk, activity: Activity, numbers: range) -> None:
    for number in numbers:
        async with desk.shell.app(APP, f"client-{number}", honest=False) as app:
            await activity(desk, app, number)
            await app.call("session.leave", {})


@pytest.mark.requirement("R")
@pytest.mark.parametrize("activity", ACTIVITIES, ids=lambda activity: activity.__name__)
async def test_what_comes_and_goes_leaves_every_collection_as_it_was(
    desk: Desk, activity: Activity, leak_rounds: Callable[[int], int]
) -> None:
    times = leak_rounds(ACTIVITIES[activity])
    await come_and_go(desk, activity, range(min(WARM_UP, times // 2)))
    before = await desk.sizes()
    await come_and_go(desk, activity, range(WARM_UP, WARM_UP + times))
    with anyio.move_on_after(20):
        while grown := grown_since(before, await desk.sizes(), times):
            await anyio.sleep(0.2)
    assert grown == {}


def grown_since(before: Counter[str], now: Counter[str], times: int) -> dict[str, int]:
    """Those by which one entry, or about that, was left each time; caches may still fill a bit."""
    more = now - before
    return {
        name: count
        for name, count in more.items()
        if count > times / 2 and not name.startswith(BOUNDED)
    }
