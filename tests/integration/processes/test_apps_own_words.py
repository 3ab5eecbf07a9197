"""An app's own words and files hurt no other app, and no person's terminal."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from deskbus.commands.apps import rows
from deskbus.commands.terminal.output import lines_of
from deskbus.handlers.apps import SAVES_AT_ONCE
from deskbus_protocol.apps import AppList, AppStatus
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import TestShell, start_shell

CLEAR_SCREEN = "\x1b[2J\x9b31m\u202e"

CONFIG = f"""
[[apps]]
id = "desk.board"
name = "Board"
process = {{ entry = {sys.executable!r}, args = ["-c", "import time; time.sleep(3600)"] }}

[[apps]]
id = "desk.other"
name = "Other"
"""


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG) as shell:
        yield shell


async def statuses(desk: TestShell) -> dict[str, AppStatus]:
    told: AppList = await desk.client.call("apps.list", result=AppList)
    return {each.app: each for each in told.apps}


async def test_an_app_s_trouble_is_told_without_control_characters(desk: TestShell) -> None:
    await desk.client.call("apps.launch", {"app": "desk.board"})
    async with desk.app("desk.board") as board:
        await board.notify("apps.heartbeat", {"trouble": f"no prices{CLEAR_SCREEN}"})
        await board.call("apps.loadState")
    status = (await statuses(desk))["desk.board"]
    assert status.state == "degraded"
    assert status.detail == r"no prices\u{1b}[2J\u{9b}31m\u{202e}"


@pytest.mark.requirement("6.4")
async def test_nobody_beats_or_is_ready_for_another_app(desk: TestShell) -> None:
    await desk.client.call("apps.launch", {"app": "desk.board"})
    async with desk.app("desk.other") as other:
        await other.notify("apps.heartbeat", {"trouble": "not of its own"})
        await other.call("apps.ready")
    async with desk.app("desk.board", "window") as window:
        await window.notify("apps.heartbeat", {"trouble": "not of its own"})
        with pytest.raises(DeskbusError) as refused:
            await window.call("apps.ready")
    assert refused.value.kind.name == "permission_denied"
    assert (await statuses(desk))["desk.board"].state == "ready"


async def test_a_flood_of_saves_is_refused_before_others_wait_behind_it(desk: TestShell) -> None:
    refused: list[str] = []

    async def save() -> None:
        try:
            await flood.call("apps.saveState", {"state": "x" * 100_000})
        except DeskbusError as error:
            refused.append(error.kind.name)

    async with desk.app("desk.board") as flood, desk.app("desk.other") as other:
        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(save)
        await other.call("apps.saveState", {"state": "mine"})
        await flood.call("apps.saveState", {"state": "one at a time"})
    assert set(refused) == {"rate_limited"}
    assert len(refused) <= 40 - SAVES_AT_ONCE


async def test_state_beyond_its_cap_is_refused_and_the_last_one_kept(desk: TestShell) -> None:
    async with desk.app("desk.board") as board:
        await board.call("apps.saveState", {"state": "small"})
        with pytest.raises(DeskbusError) as refused:
            await board.call("apps.saveState", {"state": "x" * (1024 * 1024)})
        assert refused.value.kind.name == "too_large"
        told = await board.call("apps.loadState", result=dict)
    assert told["saved"]["state"] == "small"


def test_the_table_writes_control_characters_out() -> None:
    status = AppStatus(app="t", name="T", state="failed", windows=[], detail=CLEAR_SCREEN)
    shown = "".join(lines_of(rows([status], {}), 200))
    assert r"\u{1b}[2J\u{9b}31m\u{202e}" in shown
    assert "\x1b" not in shown
