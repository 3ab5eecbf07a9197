"""Apps as processes: spawned with an identity, ended with their trees, nothing left behind."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from demo.processes import is_alive
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, TestShell, start_shell

PROGRAMS = Path(__file__).parents[1] / "programs"
GONE_WITHIN_S = 2.0

CONFIG = f"""
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{{ permission = "messaging.write", scope = "feed.#" }}]
process = {{ kind = "python", entry = {str(PROGRAMS / "feed.py")!r} }}
restart = {{ when = "never" }}

[[apps]]
id = "desk.broken"
name = "Broken"
process = {{ entry = "./empty" }}

[[apps]]
id = "desk.brief"
name = "Brief"
process = {{ entry = {sys.executable!r}, args = ["-c", "raise SystemExit(3)"] }}
restart = {{ when = "never" }}

[[apps]]
id = "desk.board"
name = "Board"
windows = [{{ url = "board.html", width = 400, height = 300 }}]

[[apps]]
id = "desk.watch"
name = "Watch"
grants = [{{ permission = "messaging.read", scope = "feed.#" }}]
"""


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(
        tmp_path / "data", config=CONFIG, files=["board.html", "empty"]
    ) as shell:
        yield shell


@asynccontextmanager
async def running_feed(desk: TestShell) -> AsyncIterator[dict[str, Any]]:
    """The feed, launched; its value is what it published about itself."""
    async with desk.app("desk.watch") as watch, watch.subscribe("feed.#") as told:
        await desk.client.call("apps.launch", {"app": "desk.feed"})
        with anyio.fail_after(20):
            message = await told.receive()
        assert message.sender.app == "desk.feed"
        yield msgspec.json.decode(message.payload)


async def all_gone(pids: list[int]) -> None:
    """Fails unless every process is gone in time."""
    with anyio.fail_after(GONE_WITHIN_S):
        while any(is_alive(pid) for pid in pids):
            await anyio.sleep(0.01)


@pytest.mark.requirement("4.1")
async def test_an_app_is_a_process_with_a_link_and_an_identity_of_its_own(desk: TestShell) -> None:
    async with running_feed(desk) as told:
        (status,) = [
            app
            for app in (await desk.client.call("apps.list", result=dict))["apps"]
            if app["app"] == "desk.feed"
        ]
        assert status["state"] == "ready"
        assert status["pid"] == told["pids"][0] != desk.process.pid
        assert os.getsid(status["pid"]) == status["pid"]


@pytest.mark.requirement("4.1")
async def test_the_ticket_is_in_neither_argv_nor_environment_once_used(desk: TestShell) -> None:
    async with running_feed(desk) as told:
        assert told["secret"] == []
        assert len(told["argv"]) == 1
        assert not {"LD_PRELOAD", "PYTHONPATH", "NODE_OPTIONS"} & set(told["environment"])


@pytest.mark.requirement("4.5")
async def test_terminating_an_app_ends_its_whole_tree(desk: TestShell) -> None:
    async with running_feed(desk) as told:
        await desk.client.call("apps.terminate", {"app": "desk.feed"})
        assert not any(is_alive(pid) for pid in told["pids"])


@pytest.mark.serial
@pytest.mark.requirement("4.5")
async def test_a_crashed_app_is_reported_and_leaves_nothing_behind(desk: TestShell) -> None:
    changed: list[dict[str, Any]] = []
    exited = anyio.Event()

    def on_changed(params: msgspec.Raw) -> None:
        changed.append(msgspec.json.decode(params)["status"])
        if changed[-1]["state"] == "crashed":
            exited.set()

    desk.client.observe("apps.changed", on_changed)
    async with running_feed(desk) as told:
        os.kill(told["pids"][0], signal.SIGKILL)
        with anyio.fail_after(LIMIT_S):
            await exited.wait()
        await all_gone(told["pids"])
    assert changed[-1]["exitCode"] == -signal.SIGKILL


@pytest.mark.serial
@pytest.mark.requirement("4.5")
async def test_when_the_shell_dies_the_backend_and_every_child_are_gone_in_two_seconds(
    desk: TestShell,
) -> None:
    async with running_feed(desk) as told:
        assert desk.process.stdin
        await desk.process.stdin.aclose()
        await all_gone([desk.process.pid, *told["pids"]])


@pytest.mark.requirement("4.5")
async def test_when_the_backend_is_killed_an_app_that_uses_the_client_ends_too(
    desk: TestShell,
) -> None:
    async with running_feed(desk) as told:
        desk.process.kill()
        await desk.process.wait()
        with anyio.fail_after(LIMIT_S):
            while is_alive(told["pids"][0]):
                await anyio.sleep(0.01)
        os.kill(told["pids"][1], signal.SIGKILL)


async def test_a_program_that_can_not_be_started_is_told_with_what_to_do(desk: TestShell) -> None:
    with pytest.raises(DeskbusError) as refused:
        await desk.client.call("apps.launch", {"app": "desk.broken"})
    assert refused.value.kind.name == "unavailable"
    assert "command" in refused.value.action
    with pytest.raises(DeskbusError) as unknown:
        await desk.client.call("apps.launch", {"app": "desk.nobody"})
    assert unknown.value.kind.name == "not_found"


async def test_an_app_s_exit_code_is_kept(desk: TestShell) -> None:
    exited = anyio.Event()
    codes: list[int] = []

    def on_changed(params: msgspec.Raw) -> None:
        status = msgspec.json.decode(params)["status"]
        if status["state"] == "crashed":
            codes.append(status["exitCode"])
            exited.set()

    desk.client.observe("apps.changed", on_changed)
    await desk.client.call("apps.launch", {"app": "desk.brief"})
    with anyio.fail_after(LIMIT_S):
        await exited.wait()
    assert codes == [3]


async def test_launching_a_window_describes_it_to_the_shell(desk: TestShell) -> None:
    launched = await desk.client.call("apps.launch", {"app": "desk.board"}, result=dict)
    assert launched["status"]["windows"] == ["desk.board/window"]
    (opened,) = desk.opened_windows
    descriptor = opened["descriptor"]
    assert descriptor["url"].startswith("file:///")
    assert descriptor["url"].endswith("/board.html")
    assert (descriptor["width"], descriptor["height"], descriptor["title"]) == (400, 300, "Board")
    await desk.client.notify("ui.windowClosed", {"window": "desk.board/window"})
    apps = (await desk.client.call("apps.list", result=dict))["apps"]
    assert next(app for app in apps if app["app"] == "desk.board")["state"] == "stopped"
