"""Processes that an app leaves behind, and shortages: ended, and told, on the real system."""

import json
import sys
from pathlib import Path

import anyio
import pytest

from demo.processes import is_alive
from tests.integration.shell import LIMIT_S, start_shell

DAEMON = """
import os, sys, time
pid_file = sys.argv[1]
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        # An environment of its own from here on: nothing tells whose it is.
        code = f"import os, time; open({pid_file!r} + '.new', 'w').write(str(os.getpid())); "
        code += f"os.rename({pid_file!r} + '.new', {pid_file!r}); time.sleep(600)"
        os.execve(sys.executable, [sys.executable, "-c", code], {})
    os._exit(0)
os.wait()
time.sleep(600)
"""

GREEDY = """
import os, sys, time
files = []
while len(files) < 100_000:
    files.append(os.open("/dev/null", os.O_RDONLY))
"""

SLOWLY = """
import os, time
files = [os.open("/dev/null", os.O_RDONLY) for _ in range(80)]
time.sleep(600)
"""


def config(**programs: list[str]) -> str:
    return "".join(
        f"""
[[apps]]
id = "desk.{name}"
name = "{name}"
limits = {{ open_files = 64 }}
restart = {{ when = "never" }}
process = {{ entry = {sys.executable!r}, args = {json.dumps(["-c", *words])} }}
"""
        for name, words in programs.items()
    )


@pytest.mark.requirement("4.5")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere daemons are not handed to us")
async def test_a_daemon_that_hides_whose_it_is_is_gone_before_the_end_is_answered(
    tmp_path: Path, anyio_backend: str
) -> None:
    told = tmp_path / "pid"
    text = config(daemon=[DAEMON, str(told)])
    async with start_shell(tmp_path / "data", config=text) as shell:
        for _ in range(3):
            await shell.client.call("apps.launch", {"app": "desk.daemon"})
            with anyio.fail_after(LIMIT_S):
                while not told.exists():
                    await anyio.sleep(0.005)
            pid = int(told.read_text())
            told.unlink()
            assert is_alive(pid)
            await shell.client.call("apps.terminate", {"app": "desk.daemon"})
            assert not is_alive(pid)


@pytest.mark.requirement("4.4")
@pytest.mark.skipif(sys.platform != "linux", reason="no such limit elsewhere")
@pytest.mark.parametrize("program", [GREEDY, SLOWLY], ids=["at once", "lasting"])
async def test_an_app_over_its_limit_of_files_is_told_so_however_fast_it_went_over(
    tmp_path: Path, anyio_backend: str, program: str
) -> None:
    async with start_shell(tmp_path / "data", config=config(greedy=[program])) as shell:
        await shell.client.call("apps.launch", {"app": "desk.greedy"})
        with anyio.fail_after(LIMIT_S):
            while True:
                found = await shell.client.call(
                    "audit.query", {"types": ["app.limited"]}, result=dict
                )
                if found["records"]:
                    break
                await anyio.sleep(0.05)
            assert {each["details"]["limit"] for each in found["records"]} == {"open_files"}
            assert found["records"][0]["details"]["allowed"] == 64
            while True:
                (app,) = (await shell.client.call("apps.list", {}, result=dict))["apps"]
                if app["state"] in ("crashed", "failed"):
                    break
                await anyio.sleep(0.05)
        assert "64 are allowed" in app["detail"]
        assert app["crash"]["cause"] == "limit"
