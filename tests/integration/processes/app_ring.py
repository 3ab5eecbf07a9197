"""Nine apps in a ring that pass numbered messages on, while a tenth misbehaves."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec

from deskbus_protocol.client import Client, Message
from tests.integration.shell import TestShell, start_shell
from tests.support.configuration import app

PROGRAMS = Path(__file__).parents[1] / "programs"
NEIGHBOURS = 9
WITHIN_S = 25

NEIGHBOUR = """
[[apps]]
id = "ring.n{own}"
name = "Neighbour {own}"
grants = [
    {{ permission = "messaging.read", scope = "ring.{before}" }},
    {{ permission = "messaging.write", scope = "ring.{own}" }},
    {{ permission = "messaging.write", scope = "told.{own}" }},
]
[apps.process]
kind = "node"
entry = "{program}"
args = ["{own}", "{before}"]
ready = "told"
"""

BAD = """
[[apps]]
id = "bad.{what}"
name = "Bad at {what}"
grants = [
    {{ permission = "messaging.read", scope = "bad.go" }},
    {{ permission = "messaging.write", scope = "flood" }},
]
restart = {{ when = "never" }}
limits = {{ {limits} }}
[apps.process]
kind = "python"
entry = "{program}"
args = ["{what}"]
ready = "told"
{process}
"""

WATCH = app("ring.watch", grants=["messaging.read told.#", "messaging.write bad.go"])


class Ring:
    """The shell with the ring in it, and what the ring's apps tell."""

    def __init__(self, shell: TestShell, watch: Client) -> None:
        self.shell = shell
        self.watch = watch
        self.statuses: dict[str, dict[str, Any]] = {}
        self.lost = 0
        self.heard = dict.fromkeys(range(NEIGHBOURS), -1)
        self.delays_us: list[int] = []
        self.bad_pids: set[int] = set()
        self._news = anyio.Event()
        shell.client.observe("apps.changed", self._changed)

    async def launch(self, app: str) -> None:
        await self.shell.client.call("apps.launch", {"app": app})

    async def until(self, app: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        await self._await(lambda: app in self.statuses and wanted(self.statuses[app]))
        return self.statuses[app]

    async def state(self, app: str, state: str) -> dict[str, Any]:
        return await self.until(app, lambda status: bool(status["state"] == state))

    async def pass_on(self, messages: int) -> list[int]:
        """Waits for so many more from every neighbour; returns all delays since, sorted, in µs."""
        wanted = {name: number + messages for name, number in self.heard.items()}
        await self._await(lambda: all(self.heard[name] >= wanted[name] for name in wanted))
        delays_us, self.delays_us = sorted(self.delays_us), []
        return delays_us

    async def listen(self, told: AsyncIterator[Message]) -> None:
        async for message in told:
            word = json.loads(bytes(message.payload))
            self.heard[int(message.topic.split(".")[1])] = word["number"]
            self.lost += word["lost"]
            self.delays_us += word["delays"]
            self._tell()

    async def _await(self, done: Callable[[], bool]) -> None:
        with anyio.fail_after(WITHIN_S):
            while not done():
                await self._news.wait()

    def _changed(self, params: msgspec.Raw) -> None:
        status = msgspec.json.decode(params)["status"]
        self.statuses[status["app"]] = status
        if status["app"].startswith("bad.") and "pid" in status:
            self.bad_pids.add(status["pid"])
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()


@asynccontextmanager
async def running_ring(folder: Path, bad: dict[str, tuple[str, str]]) -> AsyncIterator[Ring]:
    """`bad` has limits and process settings, in TOML, for each misbehaviour."""
    config = WATCH + "".join(
        NEIGHBOUR.format(
            own=number, before=(number - 1) % NEIGHBOURS, program=PROGRAMS / "neighbour.js"
        )
        for number in range(NEIGHBOURS)
    )
    for what, (limits, process) in bad.items():
        config += BAD.format(
            what=what, limits=limits, process=process, program=PROGRAMS / "misbehave.py"
        )
    async with start_shell(folder, config=config) as shell:
        async with shell.app("ring.watch") as watch, watch.subscribe("told.#") as told:
            ring = Ring(shell, watch)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ring.listen, told)
                for number in range(NEIGHBOURS):
                    await ring.launch(f"ring.n{number}")
                for number in range(NEIGHBOURS):
                    await ring.state(f"ring.n{number}", "ready")
                yield ring
                tasks.cancel_scope.cancel()


def percentile(delays_us: list[int], share: float) -> float:
    """Milliseconds."""
    return delays_us[min(len(delays_us) - 1, int(len(delays_us) * share))] / 1000
