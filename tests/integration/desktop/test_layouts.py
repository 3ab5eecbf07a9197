"""Layouts of the desk: saved by a backend, brought back by the next one."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from msgspec import Raw

from deskbus_protocol.client.fdc3 import DesktopAgent, desktop_agent
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from tests.integration.shell import LIMIT_S, TestShell, start_shell

pytestmark = pytest.mark.requirement("F")

RED, BLUE = "fdc3.channel.1", "fdc3.channel.6"
CONTACT = {"type": "fdc3.contact", "name": "Jane"}
SECRET = {"type": "fdc3.order", "name": "own"}
LEFT = {"x": 10, "y": 20, "width": 400, "height": 300}
RIGHT = {"x": 500, "y": 20, "width": 410, "height": 310}

CONFIG = """
tools = true

[[apps]]
id = "desk.blotter"
name = "Blotter"
grants = [
    { permission = "process.launch", scope = "desk.blotter" },
    { permission = "fdc3.context.read", scope = "#" },
    { permission = "fdc3.context.write", scope = "#" },
]
[[apps.windows]]
url = "https://blotter.example.com/"

[[apps]]
id = "desk.chart"
name = "Chart"
[[apps.windows]]
url = "https://chart.example.com/"
[[apps.windows]]
name = "tools"
url = "https://chart.example.com/tools"

[persistence]
enabled = false
sensitive = ["fdc3.channel.*.*.fdc3.order"]

[fdc3]
consent = "allow"
"""


class DeskShell:
    """A shell whose windows stand where a person puts them; `broken` are apps that don't open.

    Pages load until `loaded` is set.
    """

    def __init__(self, shell: TestShell) -> None:
        self.client = shell.client
        self.shell = shell
        self.windows: dict[str, dict[str, Any]] = {}
        self.broken: set[str] = set()
        self.loading, self.loaded = anyio.Event(), anyio.Event()
        self.loaded.set()
        shell.client.handle("ui.openWindow", self._open)
        shell.client.handle("ui.placeWindow", self._place)
        shell.client.handle("ui.closeWindow", self._close)

    async def call(self, method: str, **params: object) -> Any:
        return await self.client.call(method, params, result=dict)

    async def move(self, window: str, bounds: dict[str, int]) -> None:
        self.windows[window] |= bounds
        await self.client.notify("ui.windowMoved", {"window": window, "bounds": bounds})

    async def quit(self) -> None:
        """As Electron does it when a person ends it."""
        await self.client.notify("ui.quitting", {})
        for window in self.windows:
            await self.client.notify("ui.windowClosed", {"window": window})
        await self.call("session.ping")

    def place_of(self, window: str) -> dict[str, int]:
        return {name: self.windows[window][name] for name in LEFT}

    async def _open(self, params: Raw) -> object:
        descriptor = msgspec.json.decode(params)["descriptor"]
        if descriptor["app"] in self.broken:
            raise DeskbusError(UNAVAILABLE, "It is not there.")
        self.windows[descriptor["window"]] = descriptor
        self.loading.set()
        await self.loaded.wait()
        return {}

    async def _place(self, params: Raw) -> object:
        wanted = msgspec.json.decode(params)
        self.windows[wanted["window"]] |= wanted["bounds"]
        return {}

    async def _close(self, params: Raw) -> object:
        self.windows.pop(msgspec.json.decode(params)["window"], None)
        return {}


@asynccontextmanager
async def desk(folder: Path, config: str = CONFIG) -> AsyncIterator[DeskShell]:
    async with start_shell(folder, config=config) as shell:
        yield DeskShell(shell)


@asynccontextmanager
async def page(desk: DeskShell, app: str, client: str) -> AsyncIterator[DesktopAgent]:
    async with desk.shell.app(app, client) as connected, desktop_agent(connected) as fdc3:
        yield fdc3


@asynccontextmanager
async def arrange(shell: DeskShell) -> AsyncIterator[None]:
    """The blotter twice, on two channels, and one of the chart's two windows."""
    for app in ("desk.blotter", "desk.chart"):
        await shell.call("apps.launch", app=app)
    await shell.client.notify("ui.windowClosed", {"window": "desk.chart/window"})
    async with page(shell, "desk.blotter", "window") as blotter:
        await blotter.join_user_channel(RED)
        opened = await blotter.open("desk.blotter")
        async with page(shell, "desk.blotter", "window-1") as second:
            assert second.identity.instance_id == opened.instance_id
            await second.join_user_channel(BLUE)
            await blotter.broadcast(CONTACT)
            await blotter.broadcast(SECRET)
            await shell.move("desk.blotter/window", LEFT)
            await shell.move("desk.blotter/window-1", RIGHT)
            yield


@asynccontextmanager
async def arranged(folder: Path) -> AsyncIterator[DeskShell]:
    async with desk(folder) as shell, arrange(shell):
        yield shell


async def channel_of(shell: DeskShell, client: str) -> str | None:
    async with page(shell, "desk.blotter", client) as fdc3:
        channel = await fdc3.get_current_channel()
        return None if channel is None else channel.id


async def test_a_named_layout_brings_back_windows_places_channels_and_contexts(
    tmp_path: Path,
) -> None:
    async with arranged(tmp_path) as shell:
        saved = await shell.call("session.save", name="trading")
        counts = {**saved["layout"], "savedAt": 0}
        assert counts == {
            "name": "trading", "savedAt": 0, "apps": 2, "windows": 3, "contexts": 1,
        }  # fmt: skip
    assert b'"own"' not in Path(saved["path"]).read_bytes(), "a sensitive context"
    async with desk(tmp_path) as shell:
        back = await shell.call("session.restore", name="trading")
        assert back == {"apps": 2, "windows": 3, "failed": []}
        assert set(shell.windows) == {
            "desk.blotter/window", "desk.blotter/window-1", "desk.chart/tools",
        }  # fmt: skip
        assert shell.place_of("desk.blotter/window") == LEFT
        assert shell.place_of("desk.blotter/window-1") == RIGHT
        assert await channel_of(shell, "window") == RED
        assert await channel_of(shell, "window-1") == BLUE
        found = await shell.call("fdc3.contexts")
        assert [each["context"] for each in found["contexts"]] == [CONTACT]


async def test_windows_whose_pages_still_load_are_saved(tmp_path: Path) -> None:
    async with desk(tmp_path) as shell, anyio.create_task_group() as tasks:
        shell.loaded = anyio.Event()
        tasks.start_soon(lambda: shell.call("apps.launch", app="desk.chart"))
        with anyio.fail_after(LIMIT_S):
            await shell.loading.wait()
            saved = await shell.call("session.save", name="early")
        shell.loaded.set()
    assert (saved["layout"]["apps"], saved["layout"]["windows"]) == (1, 2)


async def test_the_desk_is_kept_as_it_was_before_the_shell_closed_its_windows(
    tmp_path: Path,
) -> None:
    """Pages may be gone before the shell's own words are read, which come on another link."""
    config = f"{CONFIG}\n[session]\nkeep = true\n"
    async with desk(tmp_path, config) as shell:
        async with arrange(shell):
            pass
        await shell.quit()
    async with desk(tmp_path, config) as shell:
        back = await shell.call("session.restore")
        assert back == {"apps": 2, "windows": 3, "failed": []}
        assert shell.place_of("desk.blotter/window-1") == RIGHT
        assert await channel_of(shell, "window-1") == BLUE
    # That desk was left without a word: the one before is still there.
    async with desk(tmp_path, config) as shell:
        assert (await shell.call("session.restore"))["windows"] == 3


async def test_an_app_that_does_not_start_holds_no_other_up(tmp_path: Path) -> None:
    async with arranged(tmp_path) as shell:
        await shell.call("session.save", name="trading")
    async with desk(tmp_path) as shell:
        shell.broken = {"desk.blotter"}
        back = await shell.call("session.restore", name="trading")
        assert (back["apps"], back["windows"]) == (1, 1)
        assert [each["app"] for each in back["failed"]] == ["desk.blotter"]
        assert set(shell.windows) == {"desk.chart/tools"}
        # Nobody is expected who will not come.
        found = await shell.call("fdc3.channels")
        assert not any(channel["members"] for channel in found["channels"])


async def test_a_desk_that_runs_is_put_in_order(tmp_path: Path) -> None:
    async with arranged(tmp_path) as shell:
        await shell.call("session.save", name="trading")
        await shell.move("desk.blotter/window", {**LEFT, "x": 900})
        await shell.client.notify("ui.windowClosed", {"window": "desk.blotter/window-1"})
        await shell.call("session.restore", name="trading")
        assert shell.place_of("desk.blotter/window") == LEFT
        assert shell.place_of("desk.blotter/window-2") == RIGHT


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "not_found": (lambda _: None, "There is no layout trading."),
    "invalid_params": (lambda file: file.write_text('{"apps": [\n{"app": 1}]}'), "json:2"),
    "newer_format": (lambda file: file.write_text('{"version": 9}'), "newer deskbus"),
}


@pytest.mark.parametrize("error", WRONG)
async def test_a_layout_that_can_t_be_read_is_told_and_left_alone(
    tmp_path: Path, error: str
) -> None:
    make, words = WRONG[error]
    (tmp_path / "layouts").mkdir()
    file = tmp_path / "layouts/layout-trading.json"
    make(file)
    before = file.read_bytes() if file.exists() else None
    async with desk(tmp_path) as shell:
        with pytest.raises(DeskbusError, match=words) as caught:
            await shell.call("session.restore", name="trading")
        assert caught.value.kind.name == error
        assert (await shell.call("session.list"))["layouts"] == []
    assert (file.read_bytes() if file.exists() else None) == before


async def test_commands_save_list_restore_and_remove_a_layout(tmp_path: Path) -> None:
    async def run(*words: str) -> Any:
        command = [sys.executable, "-m", "deskbus", "session", *words, "--data-dir", str(tmp_path)]
        with anyio.fail_after(LIMIT_S):
            done = await anyio.run_process(command)
        return json.loads(done.stdout) if done.stdout else None

    async with arranged(tmp_path):
        assert (await run("save", "trading"))["layout"]["windows"] == 3
        [listed] = (await run("list"))["layouts"]
        assert listed["name"] == "trading"
        assert (await run("restore", "trading"))["failed"] == []
        await run("remove", "trading")
        assert (await run("list"))["layouts"] == []
