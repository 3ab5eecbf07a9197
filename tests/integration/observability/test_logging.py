"""The log of a running backend: in files, and with levels that change."""

import json
from pathlib import Path

import anyio
import pytest

from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, start_shell

CONFIG = """
[logging]
file = "logs/backend.log"
levels = { session = "error" }
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{ permission = "messaging.write", scope = "#" }]
"""


async def test_levels_change_while_it_runs_and_lines_are_in_the_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    log_file = data / "logs/backend.log"

    def events() -> list[str]:
        return [json.loads(line)["event"] for line in log_file.read_text().split("\n")[:-1]]

    async with start_shell(data, config=CONFIG) as shell:
        async with shell.app("desk.feed"):
            pass
        told = await shell.client.call("logging.get", result=dict)
        assert told == {"level": "info", "components": {"session": "error"}}
        told = await shell.client.call(
            "logging.set", {"component": "session", "level": "info"}, result=dict
        )
        assert told["components"] == {"session": "info"}
        async with shell.app("desk.feed") as feed:
            with pytest.raises(DeskbusError):
                await feed.call("logging.set", {"level": "error"})
        await shell.client.call("logging.set", {"component": "session"})
        with anyio.fail_after(LIMIT_S):
            while "session.opened" not in events():
                await anyio.sleep(0.05)
        with pytest.raises(DeskbusError):
            await shell.client.call("logging.set", {})
        health = await shell.client.call("health.get", result=dict)
    assert health["components"]["logFile"]["status"] == "ok"
    assert events().count("session.opened") == 1
    assert "backend.ready" in events()
