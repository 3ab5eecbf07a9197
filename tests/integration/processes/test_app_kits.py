"""Apps in Python and in Node, through their SDKs: ready, alive, in trouble, gone and back."""

import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from demo.electron import ElectronError, find_electron
from demo.processes import remains, tree
from deskbus_protocol.client import Client
from tests.conftest import absent
from tests.integration.shell import LIMIT_S, TestShell, start_shell

PROGRAMS = Path(__file__).parents[1] / "programs"

CONFIG = """
[[apps]]
id = "desk.steady"
name = "Steady"
grants = [
    {{ permission = "messaging.read", scope = "steady.#" }},
    {{ permission = "messaging.write", scope = "steady.#" }},
]
restart = {{ first_s = 0.1 }}
[apps.process]
kind = "{kind}"
entry = "{entry}"
ready = "told"
heartbeat = {{ deadline_s = 1, kill_after_s = 0.3 }}

[[apps]]
id = "desk.person"
name = "Person"
grants = [
    {{ permission = "messaging.read", scope = "steady.#" }},
    {{ permission = "messaging.write", scope = "steady.#" }},
]
"""


class Desk:
    """The shell with one app, what is told of the app, and somebody who talks with it."""

    def __init__(self, shell: TestShell, person: Client) -> None:
        self.shell = shell
        self.person = person
        self.told: list[dict[str, Any]] = []
        self._changed = anyio.Event()
        shell.client.observe("apps.changed", self._note)

    def _note(self, params: msgspec.Raw) -> None:
        self.told.append(msgspec.json.decode(params)["status"])
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status that is as wanted; those before are forgotten."""
        with anyio.fail_after(20):
            while True:
                while self.told:
                    status = self.told.pop(0)
                    if wanted(status):
                        return status
                await self._changed.wait()

    async def state(self, state: str) -> dict[str, Any]:
        return await self.until(lambda status: status["state"] == state)

    async def call(self, method: str, **params: object) -> Any:
        return await self.shell.client.call(method, params, result=dict)


@asynccontextmanager
async def desk_with(folder: Path, kind: str, electron: Path | None = None) -> AsyncIterator[Desk]:
    if kind == "node" and shutil.which("node") is None:
        absent("there is no Node here")
    entry = PROGRAMS / ("steady.js" if kind == "node" else "steady.py")
    config = CONFIG.format(kind=kind, entry=entry)
    async with start_shell(folder, config=config, electron=electron) as shell:
        async with shell.app("desk.person") as person:
            yield Desk(shell, person)


@pytest.fixture(params=["python", "node"])
async def desk(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[Desk]:
    async with desk_with(tmp_path / "data", request.param) as started:
        yield started


@pytest.mark.serial
@pytest.mark.requirement("6.2")
async def test_an_app_that_was_killed_is_back_in_two_seconds_with_its_state_and_its_messages(
    desk: Desk,
) -> None:
    async with desk.person.subscribe("steady.up") as up, desk.person.subscribe("steady.out") as out:
        await desk.call("apps.launch", app="desk.steady")
        await desk.state("ready")
        first = json.loads(bytes((await up.receive()).payload))
        for word in ("one", "two", "save"):
            await desk.person.publish("steady.in", word)
            await out.receive()
        await desk.person.publish("steady.in", "crash")
        crashed_at = anyio.current_time()
        crashed = await desk.state("restarting")
        assert crashed["crash"]["cause"] == "signal"
        assert crashed["crash"]["signal"] == "SIGKILL"
        await desk.person.publish("steady.in", "while it was away")
        back = await desk.state("ready")
        assert anyio.current_time() - crashed_at < 2
        assert back["restarts"] == 1
        assert "crash" not in back
        second = json.loads(bytes((await up.receive()).payload))
        assert second["pid"] != first["pid"]
        assert second["count"] in (2, 3), "the state came back"
        with anyio.fail_after(LIMIT_S):
            assert json.loads(bytes((await out.receive()).payload))["count"] == 3


@pytest.mark.serial
@pytest.mark.requirement("6.4")
async def test_a_hung_app_is_told_at_its_deadline_then_ended_and_started_anew(desk: Desk) -> None:
    await desk.call("apps.launch", app="desk.steady")
    await desk.state("ready")
    await desk.person.publish("steady.in", "hang")
    hung_at = anyio.current_time()
    status = await desk.state("unresponsive")
    # The last beat was up to a third of a second before.
    assert 0.6 < anyio.current_time() - hung_at < 1.4
    assert "no sign of life" in status["detail"]
    assert (await desk.state("restarting"))["crash"]["cause"] == "hung"
    await desk.state("ready")


async def test_an_app_says_what_it_can_not_do(desk: Desk) -> None:
    await desk.call("apps.launch", app="desk.steady")
    await desk.state("ready")
    await desk.person.publish("steady.in", "trouble")
    status = await desk.state("degraded")
    assert status["detail"] == "The exchange does not answer. " + "\U0001f4c9" * 170
    health = await desk.call("health.get")
    assert health["components"]["apps"]["status"] == "degraded"


async def test_an_app_that_is_asked_to_end_saves_its_state_first(desk: Desk) -> None:
    async with desk.person.subscribe("steady.out") as out, desk.person.subscribe("steady.up") as up:
        await desk.call("apps.launch", app="desk.steady")
        await up.receive()
        await desk.person.publish("steady.in", "one")
        await out.receive()
        await desk.call("apps.terminate", app="desk.steady")
        assert desk.told[-1]["state"] == "stopped"
        assert desk.told[-1].get("exitCode", 0) == 0
        await desk.call("apps.launch", app="desk.steady")
        assert json.loads(bytes((await up.receive()).payload))["count"] == 1


async def test_an_app_ends_by_itself_when_the_backend_is_killed(desk: Desk) -> None:
    status = (await desk.call("apps.launch", app="desk.steady"))["status"]
    await desk.state("ready")
    app = tree(status["pid"])
    desk.shell.process.kill()
    assert await remains(app, 3) == []


async def test_a_node_app_is_run_by_electron_s_own_binary_where_a_shell_tells_it(
    tmp_path: Path, anyio_backend: str
) -> None:
    try:
        electron = Path(find_electron())
    except ElectronError as error:
        absent(str(error))
    async with desk_with(tmp_path / "data", "node", electron) as desk:
        async with desk.person.subscribe("steady.up") as up:
            await desk.call("apps.launch", app="desk.steady")
            told = json.loads(bytes((await up.receive()).payload))
    assert told["electron"] == "1"
