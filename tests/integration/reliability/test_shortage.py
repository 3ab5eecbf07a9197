"""Where descriptors run out, one operation fails or one link is refused; everybody else goes on."""

import json
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.health import HealthResult
from tests.integration.shell import LIMIT_S, TestShell, start_shell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sets limits of another process")

PROGRAMS = Path(__file__).parents[1] / "programs"
CONFIG = f"""
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [
    {{ permission = "messaging.write", scope = "#" }},
    {{ permission = "messaging.read", scope = "#" }},
]

[[apps]]
id = "desk.app"
name = "App"
process = {{ kind = "python", entry = {str(PROGRAMS / "feed.py")!r} }}
grants = [{{ permission = "messaging.write", scope = "feed.#" }}]
restart = {{ when = "never" }}

[persistence]
topics = ["orders.#"]
"""


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    async with start_shell(tmp_path / "data", config=CONFIG, consent="allow") as shell:
        yield shell


def limit(shell: TestShell, descriptors: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(shell.process.pid, resource.RLIMIT_NOFILE, (descriptors, hard))


async def refusal(shell: TestShell) -> dict[str, Any]:
    """The answer to a link that comes now."""
    async with await anyio.connect_unix(shell.hello.pipe) as link:
        told = b""
        with anyio.fail_after(LIMIT_S):
            while not told.endswith(b"\n"):
                told += await link.receive()
        return dict(json.loads(told)["error"])


async def health(shell: TestShell) -> HealthResult:
    found: HealthResult = await shell.client.call("health.get", result=HealthResult)
    return found


async def until_well(shell: TestShell, component: str, status: str) -> None:
    with anyio.fail_after(LIMIT_S):
        while (await health(shell)).components[component].status != status:
            await anyio.sleep(0.1)


async def test_links_beyond_the_limit_are_refused_in_words_and_all_others_go_on(
    desk: TestShell,
) -> None:
    await desk.client.call("apps.launch", {"app": "desk.app"})
    limit(desk, 256)
    async with AsyncExitStack() as stack:
        sessions: list[Client] = []
        refused: DeskbusError | None = None
        while refused is None and len(sessions) < 256:
            try:
                opening = desk.app("desk.feed", f"c{len(sessions)}", honest=False)
                sessions.append(await stack.enter_async_context(opening))
            except DeskbusError as error:
                refused = error
        assert 180 < len(sessions) < 240
        told = await refusal(desk)
        assert "file descriptors" in told["message"]
        assert "ulimit" in told["data"]["action"]
        # A burst is refused as well, and nobody who is in is put out.
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(refusal, desk)
        for session in sessions:
            assert (await session.publish("orders.new", 1, durable=True, confirm=True)).seq
        stats = await desk.client.call("apps.stats", {"app": "desk.app"}, result=dict)
        assert stats["apps"]
        found = (await health(desk)).components
        assert found["resources"].status == "degraded"
        assert "links" in str(found["resources"].detail)
        assert found["apps"].status == "ok"
    async with desk.app("desk.feed", "after") as session:
        assert (await session.publish("prices.a", 1, confirm=True)).seq


async def test_with_no_descriptor_at_all_one_operation_fails_and_the_rest_goes_on(
    desk: TestShell,
) -> None:
    await desk.client.call("apps.launch", {"app": "desk.app"})
    async with desk.app("desk.feed") as feed:
        await feed.publish("orders.new", 1, durable=True, confirm=True)
        limit(desk, 8)
        # Several rounds of every loop that opens files: the process table, the disk, logs.
        with anyio.move_on_after(4):
            while True:
                assert (await feed.publish("orders.new", 2, durable=True, confirm=True)).seq
                await anyio.sleep(0.2)
        with pytest.raises(DeskbusError, match=r"descriptors|files can.t be read|open files"):
            await desk.client.call("apps.restart", {"app": "desk.app"})
        assert (await health(desk)).status == "degraded"
        limit(desk, 1024)
        await desk.client.call("apps.launch", {"app": "desk.app"})
        for component in ("apps", "audit", "persistence"):
            await until_well(desk, component, "ok")
        assert (await feed.publish("orders.new", 3, durable=True, confirm=True)).seq
    assert desk.process.returncode is None
    assert os.path.exists(desk.hello.pipe)  # noqa: PTH110


FULL = """
import os, resource, sys
from pathlib import Path
import anyio
from deskbus.transport.named_pipes import unix_socket
from deskbus.transport.outbox import Flusher

async def main():
    async with unix_socket.listen(Path(sys.argv[1]), Flusher(), lambda link: None):
        highest = max(map(int, os.listdir("/proc/self/fd")))
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        try:
            while True:
                os.open("/dev/null", os.O_RDONLY)
        except OSError:
            os.write(1, b"full")
        await anyio.sleep_forever()

anyio.run(main)
"""


async def test_a_reserve_lets_a_listener_refuse_in_words_when_all_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    async with await anyio.open_process([sys.executable, "-c", FULL, str(folder)]) as process:
        assert process.stdout is not None
        with anyio.fail_after(20):
            assert await process.stdout.receive() == b"full"
            for _ in range(3):
                async with await anyio.connect_unix(folder / "bus.sock") as link:
                    told = json.loads(await link.receive())
                    assert "file descriptors" in told["error"]["message"]
        process.kill()
