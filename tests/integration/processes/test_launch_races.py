"""Launching, ending and dying at the same moment: an app ends in one state, with nothing left."""

import json
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from demo.processes import (
    Process,
    command_of,
    eventually,
    files_of,
    is_alive,
    process,
    tree,
    zombies,
)
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import TestShell, start_shell

LIMIT_S = 20
SLEEP = "import time; time.sleep(3600)"
LAST_WORDS = """
import anyio
from deskbus_protocol.client import run_as_app
async def main():
    async def stop(app):
        await app.trouble("not yet")
        await app.ready()
    async with run_as_app(on_stop=stop) as app:
        await app.ready()
        await anyio.sleep_forever()
anyio.run(main)
"""
DEAF = LAST_WORDS.replace('await app.trouble("not yet")', "await anyio.sleep_forever()")
MEDDLE = """
import os
os.write(os.open("/proc/self/fd/" + os.environ["DESKBUS_LIFE_FD"], os.O_WRONLY), b"x")
"""

CONFIG = f"""
[[apps]]
id = "desk.board"
name = "Board"
windows = [{{ url = "board.html", width = 400, height = 300 }}]
process = {{ entry = {sys.executable!r}, args = ["-c", {SLEEP!r}] }}

[[apps]]
id = "desk.faulty"
name = "Faulty"
process = {{ entry = {sys.executable!r}, args = ["-c", "raise SystemExit(3)"] }}
restart = {{ first_s = 0.05, longest_s = 0.05 }}

[[apps]]
id = "desk.patient"
name = "Patient"
process = {{ entry = {sys.executable!r}, args = ["-c", "raise SystemExit(3)"] }}
restart = {{ first_s = 60, longest_s = 60 }}

[[apps]]
id = "desk.stubborn"
name = "Stubborn"
[apps.process]
entry = {sys.executable!r}
args = ["-c", {json.dumps(LAST_WORDS)}]
ready = "told"
stop_within_s = 10

[[apps]]
id = "desk.deaf"
name = "Deaf"
[apps.process]
entry = {sys.executable!r}
args = ["-c", {json.dumps(DEAF)}]
ready = "told"
stop_within_s = 1

[[apps]]
id = "desk.meddler"
name = "Meddler"
restart = {{ when = "never" }}
[apps.process]
entry = {sys.executable!r}
args = ["-c", {json.dumps(MEDDLE)}]

[[apps]]
id = "desk.desk"
name = "Desk"
grants = [{{ permission = "process.launch", scope = "desk.board" }}]
"""


class Statuses:
    """The states of each app that the shell was told, in order."""

    def __init__(self, desk: TestShell) -> None:
        self.told: list[dict[str, Any]] = []
        self._news = anyio.Event()
        desk.client.observe("apps.changed", self._changed)

    async def until(self, app: str, state: str) -> None:
        with anyio.fail_after(LIMIT_S):
            while self.last(app) != state:
                await self._news.wait()

    def last(self, app: str) -> str:
        return next((each["state"] for each in reversed(self.told) if each["app"] == app), "")

    def _changed(self, params: msgspec.Raw) -> None:
        self.told.append(msgspec.json.decode(params)["status"])
        self._news.set()
        self._news = anyio.Event()


class SlowWindows:
    """A shell whose next window never opens."""

    def __init__(self, desk: TestShell) -> None:
        self.asked = anyio.Event()
        desk.client.handle("ui.openWindow", self._open)

    async def _open(self, _: msgspec.Raw) -> object:
        if not self.asked.is_set():
            self.asked.set()
            await anyio.sleep_forever()
        return {}


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG, files=["board.html"]) as shell:
        yield shell


async def launches(desk: TestShell, app: str) -> bool:
    try:
        await desk.client.call("apps.launch", {"app": app})
    except DeskbusError:
        return False
    return True


async def status_of(desk: TestShell, app: str) -> dict[str, Any]:
    told = await desk.client.call("apps.list", result=dict)
    return next(each for each in told["apps"] if each["app"] == app)


async def test_of_many_launches_at_once_one_counts(desk: TestShell) -> None:
    refused = []

    async def launch() -> None:
        try:
            await desk.client.call("apps.launch", {"app": "desk.board"})
        except DeskbusError as error:
            refused.append(error.kind.name)

    async with anyio.create_task_group() as tasks:
        for _ in range(200):
            tasks.start_soon(launch)
    assert set(refused) <= {"conflict"}
    assert len(sleepers(desk)) == 1


async def test_ending_an_app_while_it_starts_waits_for_no_window(desk: TestShell) -> None:
    windows = SlowWindows(desk)
    refused: list[str] = []

    async def launch() -> None:
        with pytest.raises(DeskbusError, match="ended while it started"):
            await desk.client.call("apps.launch", {"app": "desk.board"})
        refused.append("launch")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(launch)
        await windows.asked.wait()
        pid = (await status_of(desk, "desk.board"))["pid"]
        with anyio.fail_after(LIMIT_S / 4):
            await desk.client.call("apps.terminate", {"app": "desk.board"})
    assert refused == ["launch"]
    status = await status_of(desk, "desk.board")
    assert status["state"] == "stopped"
    assert "crash" not in status
    assert process(pid) is None


@pytest.mark.requirement("4.2")
async def test_another_app_s_launch_that_is_given_up_ends_nothing_that_runs(
    desk: TestShell,
) -> None:
    await desk.client.call("apps.launch", {"app": "desk.board"})
    pid = (await status_of(desk, "desk.board"))["pid"]
    windows = SlowWindows(desk)
    async with desk.app("desk.desk") as other, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(other.call, "apps.launch", {"app": "desk.board"}))
        with anyio.fail_after(LIMIT_S):
            await windows.asked.wait()
        tasks.cancel_scope.cancel()
        # A conflict until the backend has given the other launch up.
    with anyio.fail_after(LIMIT_S):
        while not await launches(desk, "desk.board"):
            await anyio.sleep(0.01)
    status = await status_of(desk, "desk.board")
    assert status["state"] == "ready"
    assert status["pid"] == pid
    assert is_alive(pid)


async def test_ended_while_it_waits_to_come_back_it_stays_away(desk: TestShell) -> None:
    told = Statuses(desk)
    await desk.client.call("apps.launch", {"app": "desk.faulty"})
    await told.until("desk.faulty", "restarting")
    await desk.client.call("apps.terminate", {"app": "desk.faulty"})
    status = await status_of(desk, "desk.faulty")
    assert status["state"] == "stopped"
    assert "restartIn" not in status
    assert "pid" not in status


async def test_a_person_restarts_an_app_that_waits_to_come_back(desk: TestShell) -> None:
    told = Statuses(desk)
    await desk.client.call("apps.launch", {"app": "desk.patient"})
    for _ in range(3):
        await told.until("desk.patient", "restarting")
        told.told.clear()
        # The wait is over at once, and stands in nobody's way.
        await desk.client.call("apps.restart", {"app": "desk.patient"})


async def test_what_an_app_says_while_it_is_ended_does_not_keep_it_alive(desk: TestShell) -> None:
    told = Statuses(desk)
    await desk.client.call("apps.launch", {"app": "desk.stubborn"})
    await told.until("desk.stubborn", "ready")
    told.told.clear()
    with anyio.fail_after(LIMIT_S):
        await desk.client.call("apps.terminate", {"app": "desk.stubborn"})
    states = [each["state"] for each in told.told]
    assert set(states) == {"stopping", "stopped"}
    assert states == sorted(states, key=["stopping", "stopped"].index)


@pytest.mark.requirement("8.3")
async def test_an_app_that_was_asked_to_end_is_stopping_until_it_is_gone(desk: TestShell) -> None:
    told = Statuses(desk)
    await desk.client.call("apps.launch", {"app": "desk.deaf"})
    await told.until("desk.deaf", "ready")
    told.told.clear()
    ended = anyio.Event()

    async def terminate() -> None:
        await desk.client.call("apps.terminate", {"app": "desk.deaf"})
        ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(terminate)
        await told.until("desk.deaf", "stopping")
        status = await status_of(desk, "desk.deaf")
        assert not ended.is_set()
        assert status["state"] == "stopping"
        assert is_alive(status["pid"])
        stats = await desk.client.call("apps.stats", {"app": "desk.deaf"}, result=dict)
        assert stats["apps"][0]["state"] == "stopping"
        with pytest.raises(DeskbusError, match="starting or ending"):
            await desk.client.call("apps.launch", {"app": "desk.deaf"})
        with anyio.fail_after(LIMIT_S):
            await ended.wait()
    assert not is_alive(status["pid"])
    assert [each["state"] for each in told.told] == ["stopping", "stopped"]


@pytest.mark.skipif(sys.platform != "linux", reason="the other end of a pipe is opened by /proc")
async def test_an_app_that_tampers_with_its_lifeline_ends_nobody_else(desk: TestShell) -> None:
    told = Statuses(desk)
    await desk.client.call("apps.launch", {"app": "desk.stubborn"})
    await told.until("desk.stubborn", "ready")
    await desk.client.call("apps.launch", {"app": "desk.meddler"})
    await told.until("desk.meddler", "stopped")
    # Had it been told that the backend is gone, it would end within a second.
    pid = (await status_of(desk, "desk.stubborn"))["pid"]
    assert not await eventually(lambda: not is_alive(pid), 1.5)
    assert (await status_of(desk, "desk.stubborn"))["state"] == "ready"


async def test_launches_in_quick_succession_leave_neither_descriptors_nor_processes(
    desk: TestShell,
) -> None:
    backend = process(desk.process.pid)
    assert backend is not None
    await cycle(desk, 3)
    before = files_of(backend)
    await cycle(desk, 40)
    after = files_of(backend)
    assert before is not None
    assert after is not None
    assert after <= before
    assert sleepers(desk) == []
    assert zombies(backend) == []


def sleepers(desk: TestShell) -> list[Process]:
    return [each for each in tree(desk.process.pid) if SLEEP in command_of(each)]


async def cycle(desk: TestShell, times: int) -> None:
    for _ in range(times):
        await desk.client.call("apps.launch", {"app": "desk.board"})
        await desk.client.call("apps.terminate", {"app": "desk.board"})
