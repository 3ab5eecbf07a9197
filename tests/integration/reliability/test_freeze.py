"""A backend that was stopped reads first what was sent meanwhile, and judges then."""

import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.ui import ShowDialogParams
from tests.integration.shell import LIMIT_S, TestShell, start_shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stops a process")

PROGRAMS = Path(__file__).parents[1] / "programs"
FROZEN_S = 11.0
"""Longer than every deadline here: the handshake's 10 s, and those below."""

CONFIG = f"""
[heartbeat]
interval_s = 1
deadline_s = 2

[consent]
timeout_s = 2

[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{{ permission = "messaging.write", scope = "prices.#" }}]
declares = [{{ permission = "messaging.write", scope = "orders.#" }}]

[[apps]]
id = "desk.steady"
name = "Steady"
restart = {{ when = "never" }}

[apps.process]
kind = "python"
entry = {str(PROGRAMS / "beats.py")!r}
ready = "told"
heartbeat = {{ deadline_s = 2, kill_after_s = 0 }}
"""


@pytest.fixture
async def shell(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG) as started:
        yield started


async def keep_alive(client: Client) -> None:
    while True:
        await client.call("session.ping", {})
        await anyio.sleep(0.3)


@pytest.mark.requirement("6.4")
async def test_nobody_is_judged_by_the_time_that_the_backend_stood_still(shell: TestShell) -> None:
    await shell.client.call("apps.launch", {"app": "desk.steady"})
    ticket = await shell.ticket("desk.feed", "late")
    frozen, asked = anyio.Event(), anyio.Event()

    async def person(shown: ShowDialogParams) -> dict[str, Any]:
        await shell.shown(shown)
        await anyio.sleep(0.6)
        asked.set()
        await frozen.wait()
        return await shell.deny(shown)

    shell.person = person
    outcome: dict[str, Any] = {}

    async def request(client: Client) -> None:
        wanted = {"permission": "messaging.write", "scope": "orders.new"}
        outcome.update(await client.call("permissions.request", wanted, result=dict))

    async with (
        shell.app("desk.feed") as feed,
        await anyio.connect_unix(shell.hello.pipe) as late,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(request, feed)
        with anyio.fail_after(LIMIT_S):
            await asked.wait()
        os.kill(shell.process.pid, signal.SIGSTOP)
        frozen.set()
        # All of this lies unread until the backend goes on.
        await feed.notify("bus.publish", {"topic": "prices.EURUSD", "payload": 1})
        opening = {"ticket": ticket, "app": "desk.feed", "protocolVersion": "1.0"}
        frame = {"jsonrpc": "2.0", "id": 1, "method": "session.open", "params": opening}
        await late.send(json.dumps(frame).encode() + b"\n")
        await anyio.sleep(FROZEN_S)
        os.kill(shell.process.pid, signal.SIGCONT)
        with anyio.fail_after(LIMIT_S):
            answer = json.loads(await late.receive())
            assert answer["result"]["client"] == "late", answer
            assert (await feed.publish("prices.EURUSD", 2, confirm=True)).seq == 2
            while not outcome:
                await anyio.sleep(0.05)
        # The answer of the person counts, not the time that went by.
        assert outcome["state"] == "denied"
        assert len(shell.dialogs) == 1
        # For longer than the apps' deadline: those who give signs of life live.
        tasks.start_soon(keep_alive, feed)
        await anyio.sleep(2.5)
        apps = await shell.client.call("apps.list", {}, result=dict)
        steady = next(app for app in apps["apps"] if app["app"] == "desk.steady")
        assert steady["state"] == "ready"
        tasks.cancel_scope.cancel()


async def test_one_that_is_silent_after_all_is_found_after_a_freeze(shell: TestShell) -> None:
    async with shell.app("desk.feed"), await anyio.connect_unix(shell.hello.pipe) as silent:
        ticket = await shell.ticket("desk.feed", "silent")
        opening = {"ticket": ticket, "app": "desk.feed", "protocolVersion": "1.0"}
        frame = {"jsonrpc": "2.0", "id": 1, "method": "session.open", "params": opening}
        await silent.send(json.dumps(frame).encode() + b"\n")
        await silent.receive()
        os.kill(shell.process.pid, signal.SIGSTOP)
        await anyio.sleep(3)
        os.kill(shell.process.pid, signal.SIGCONT)
        with anyio.fail_after(LIMIT_S):
            while [chunk async for chunk in silent]:
                pass
