"""Kills the backend amid its apps, at a random moment, and looks for what is left of them."""

import random
import secrets
from pathlib import Path

import anyio

from demo.processes import marked
from tests.integration.shell import start_shell

PROGRAMS = Path(__file__).parents[1] / "programs"
LONGEST_LIFE_S = 0.8
GONE_WITHIN_S = 2.0

APP = """
[[apps]]
id = "desk.hiding{number}"
name = "Clan {number}"
grants = [{{ permission = "messaging.write", scope = "hiding.#" }}]
[apps.process]
kind = "python"
entry = "{program}"
args = ["{mark}"]
ready = "told"

[[apps]]
id = "desk.other{number}"
name = "No app of the kit"
[apps.process]
entry = "sleep"
args = ["600"]
env = {{ APP_MARK = "{mark}" }}
"""
PAIRS = 2


class LeftError(Exception):
    """Something of the apps has outlived the backend."""


async def kill_round(data_dir: Path, chance: random.Random) -> float:
    """One life of a backend with apps; returns how long the last of them outlived it, in seconds.

    Raises `LeftError`.
    """
    mark = f"hiding-{secrets.token_hex(8)}"
    config = "".join(
        APP.format(number=number, program=PROGRAMS / "hidden_descendants.py", mark=mark)
        for number in range(PAIRS)
    )
    async with start_shell(data_dir, config=config) as shell:
        async with anyio.create_task_group() as tasks:
            for number in range(PAIRS):
                for kind in ("hiding", "other"):
                    launch = {"app": f"desk.{kind}{number}"}
                    tasks.start_soon(shell.client.call, "apps.launch", launch)
        await anyio.sleep(chance.uniform(0, LONGEST_LIFE_S))
        before = len(marked(mark))
        shell.process.kill()
        await shell.process.wait()
        killed_at = anyio.current_time()
        while left := marked(mark):
            if anyio.current_time() - killed_at > GONE_WITHIN_S:
                raise LeftError(f"of {before} processes there are left: {left}")
            await anyio.sleep(0.01)
        return anyio.current_time() - killed_at
