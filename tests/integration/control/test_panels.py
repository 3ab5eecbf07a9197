"""Panels over the wire: who may open them, and whose action counts."""

import json
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from msgspec import Raw

from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError
from deskbus_protocol.panels import PanelDescriptor
from tests.integration.commands.test_cli import headless, run
from tests.integration.shell import LIMIT_S, TestShell, start_shell

CONFIG = """
tools = true

[[apps]]
id = "test.app"
name = "Test"
declares = [{ permission = "messaging.read", scope = "prices.#" }]
"""
GRANT = {"app": "test.app", "permission": "messaging.read", "scope": "prices.#"}


class Screen:
    """The descriptors that the shell was asked to draw, newest last."""

    def __init__(self, shell: TestShell) -> None:
        self.drawn: list[PanelDescriptor] = []
        self._changed = anyio.Event()
        shell.client.handle("ui.openPanel", self._open)
        shell.client.observe("ui.updatePanel", self._draw)

    async def until(self, rows: int) -> PanelDescriptor:
        with anyio.fail_after(LIMIT_S):
            while not self.drawn or len(self.drawn[-1].content.rows) != rows:
                await self._changed.wait()
        return self.drawn[-1]

    async def _open(self, params: Raw) -> object:
        self._draw(params)
        return {}

    def _draw(self, params: Raw) -> None:
        shape: Any = msgspec.json.decode(params)["descriptor"]
        self.drawn.append(msgspec.convert(shape, PanelDescriptor))
        self._changed.set()
        self._changed = anyio.Event()


async def test_the_shell_opens_a_panel_acts_in_it_and_sees_what_came_of_it(tmp_path: Path) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG) as shell:
        screen = Screen(shell)
        await shell.client.call("panels.open", {"name": "permissions"}, result=dict)
        await screen.until(rows=0)
        await shell.client.call("permissions.grant", GRANT, result=dict)
        shown = await screen.until(rows=1)
        (row,) = shown.content.rows
        await shell.client.call("ui.panelAction", _revoke(shown, row.id), result=dict)
        await screen.until(rows=0)


@pytest.mark.requirement("3.2")
async def test_an_action_from_anybody_but_the_shell_link_does_nothing(tmp_path: Path) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG) as shell:
        screen = Screen(shell)
        await shell.client.call("permissions.grant", GRANT, result=dict)
        await shell.client.call("panels.open", {"name": "permissions"}, result=dict)
        shown = await screen.until(rows=1)
        wanted = _revoke(shown, shown.content.rows[0].id)
        async with shell.app("test.app") as app:
            for method, params in (
                ("ui.panelAction", wanted),
                ("ui.panelQuery", {"panel": shown.panel, "query": {}}),
                ("panels.open", {"name": "permissions"}),
                ("panels.describe", {"name": "audit"}),
            ):
                with pytest.raises(DeskbusError) as refused:
                    await app.call(method, params, result=dict)
                assert refused.value.kind is PERMISSION_DENIED
        # A tool may do much in the shell's place; a person's click is not among it.
        code, _, words = await run(
            "call", "ui.panelAction", json.dumps(wanted), data_dir=tmp_path / "data"
        )
        assert (code, str(PERMISSION_DENIED.code) in words) == (1, True)
        listed = await shell.client.call("permissions.list", {}, result=dict)
        assert [one["scope"] for one in listed["records"]] == ["prices.#"]


async def test_a_tool_opens_a_panel_in_the_shell(tmp_path: Path) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG) as shell:
        screen = Screen(shell)
        code, out, words = await run("panel", "permissions", data_dir=tmp_path / "data")
        assert (code, out) == (0, "")
        assert "is open" in words
        assert screen.drawn[0].name == "permissions"


async def test_without_a_shell_a_panel_is_printed(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with headless(data_dir):
        code, out, _ = await run("panel", data_dir=data_dir)
        assert (code, json.loads(out)) == (0, ["audit", "permissions"])
        code, out, _ = await run("panel", "permissions", data_dir=data_dir)
        assert (code, json.loads(out)["title"]) == (0, "Permissions")
        code, _, words = await run("panel", "nonsense", data_dir=data_dir)
        assert code == 1
        assert "There is no such panel; there are: audit, permissions." in words


def _revoke(shown: PanelDescriptor, row: str) -> dict[str, object]:
    return {
        "panel": shown.panel,
        "revision": shown.revision,
        "action": "revoke",
        "row": row,
    }
