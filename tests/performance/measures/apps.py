"""Many apps at once: how long they take to be ready and to talk, and what each then holds."""

import tempfile
import time
from functools import cache
from pathlib import Path

import anyio
import msgspec

from tests.integration.shell import start_shell
from tests.performance.servers.load import Figures
from tests.support.configuration import app

PROGRAM = Path(__file__).parents[1] / "loads" / "idle-app.js"
FEW = 10
MANY = 100
LIMIT_S = 120
MEGABYTE = 1024 * 1024

APP = """
[[apps]]
id = "bench.app{number}"
name = "App {number}"
grants = [{{ permission = "messaging.write", scope = "up.#" }}]
[apps.process]
kind = "node"
entry = "{program}"
ready = "told"
ready_within_s = 120
"""
WATCH = app("bench.watch", grants=["messaging.read up.#"])


@cache
def few() -> Figures:
    """Measured once in a run."""
    return anyio.run(_start, FEW)


@cache
def many() -> Figures:
    return anyio.run(_start, MANY)


async def _start(count: int) -> Figures:
    """Seconds from the first launch until the last app was ready, and until it was heard on the
    bus; megabytes that an idle app holds.
    """
    config = WATCH + "".join(APP.format(number=n, program=PROGRAM) for n in range(count))
    with tempfile.TemporaryDirectory() as folder:
        async with start_shell(Path(folder) / "data", config=config) as shell:
            ready: set[str] = set()
            all_ready = anyio.Event()

            def changed(params: msgspec.Raw) -> None:
                status = msgspec.json.decode(params)["status"]
                if status["state"] == "ready":
                    ready.add(status["app"])
                    if len(ready) == count:
                        all_ready.set()

            shell.client.observe("apps.changed", changed)
            async with shell.app("bench.watch", honest=False) as watch:
                async with watch.subscribe("up.#") as up, anyio.create_task_group() as tasks:
                    began = time.perf_counter()
                    for number in range(count):
                        launch = {"app": f"bench.app{number}"}
                        tasks.start_soon(shell.client.call, "apps.launch", launch)
                    with anyio.fail_after(LIMIT_S):
                        await all_ready.wait()
                        ready_s = time.perf_counter() - began
                        for _ in range(count):
                            await up.receive()
                        talking_s = time.perf_counter() - began
            stats = await shell.client.call("apps.stats", {}, result=dict)
            held = [each["sample"]["memoryBytes"] for each in stats["apps"] if "sample" in each]
            memory_mb = sum(held) / len(held) / MEGABYTE
            return {"ready_s": ready_s, "talking_s": talking_s, "memory_mb": memory_mb}
