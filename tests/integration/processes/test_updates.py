"""An update is prepared: apps end, and what holds files is told."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from demo.processes import is_alive
from deskbus_protocol.apps import PrepareForUpdateResult
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, start_shell

CONFIG = """
[[apps]]
id = "test.sleeper"
name = "Sleeper"
process = { kind = "executable", entry = "sleep", args = ["600"] }
"""


async def test_what_holds_a_file_is_told_and_then_nothing_is_started_any_more(
    short_path: Path,
) -> None:
    bundle = short_path / "bundle"
    bundle.mkdir()
    async with start_shell(short_path / "data", config=CONFIG) as shell:

        async def prepare() -> PrepareForUpdateResult:
            found: PrepareForUpdateResult = await shell.client.call(
                "apps.prepareForUpdate",
                {"folder": str(bundle)},
                result=PrepareForUpdateResult,
                timeout_s=LIMIT_S,
            )
            return found

        async def launch() -> int:
            launched = await shell.client.call(
                "apps.launch", {"app": "test.sleeper"}, result=dict, timeout_s=LIMIT_S
            )
            return int(launched["status"]["pid"])

        with pytest.raises(DeskbusError, match="not absolute"):
            await shell.client.call("apps.prepareForUpdate", {"folder": "bundle"})

        first = await launch()
        program = "import sys; sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", program], cwd=bundle, stdin=subprocess.PIPE
        ) as held:
            blocked = await prepare()
            assert not blocked.ready
            assert [holder.pid for holder in blocked.holders] == [held.pid]
            assert blocked.ended == ["test.sleeper"]
            assert not is_alive(first)
            second = await launch()
            held.communicate()

        ready = await prepare()
        assert ready.ready
        assert ready.holders == []
        assert not is_alive(second)
        with pytest.raises(DeskbusError, match="update") as refused:
            await launch()
        assert refused.value.kind.name == "unavailable"
        await shell.client.call("session.shutdown")
        with anyio.fail_after(LIMIT_S):
            assert await shell.process.wait() == 0


async def test_only_the_shell_prepares_an_update(short_path: Path) -> None:
    async with start_shell(short_path / "data", config=CONFIG) as shell:
        async with shell.app("test.sleeper", "other", honest=False) as app:
            with pytest.raises(DeskbusError) as refused:
                await app.call("apps.prepareForUpdate")
    assert refused.value.kind.name == "permission_denied"
