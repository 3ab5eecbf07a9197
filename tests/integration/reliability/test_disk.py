"""A disk that really fills, under the running backend, and empties again."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, start_shell

CONFIG = '[persistence]\ntopics = ["orders.#"]\n'
LARGE = "x" * 20_000


@pytest.fixture
async def small_disk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Path]:
    """A data folder on a file system of half a megabyte."""
    if sys.platform != "linux" or os.getuid() != 0:
        pytest.skip("mounting a small file system takes root on Linux")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not allow mounting")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def durable_publish(feed: Client) -> DeskbusError | None:
    try:
        await feed.publish("orders.new", LARGE, durable=True, confirm=True)
    except DeskbusError as error:
        return error
    return None


async def persistence(client: Client) -> str:
    health = await client.call("health.get", result=dict)
    return str(health["components"]["persistence"]["status"])


@pytest.mark.requirement("2.4")
async def test_the_bus_goes_on_while_the_disk_is_full_and_recovers_by_itself(
    small_disk: Path,
) -> None:
    async with start_shell(small_disk, config=CONFIG, consent="allow") as shell:
        async with (
            shell.app("desk.feed") as feed,
            shell.app("desk.reader") as reader,
            reader.subscribe("orders.#") as orders,
        ):
            acknowledged = 0
            while (failure := await durable_publish(feed)) is None:
                acknowledged += 1
            assert failure.kind.name == "degraded"
            assert acknowledged > 5
            assert await persistence(feed) == "degraded"
            live = await feed.publish("orders.new", "still delivered", confirm=True)
            with anyio.fail_after(LIMIT_S):
                while (await orders.receive()).seq < live.seq:
                    pass
            (small_disk / "stderr.log").write_bytes(b"")
            subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
            with anyio.fail_after(LIMIT_S):
                while await persistence(feed) != "ok":
                    await anyio.sleep(0.05)
            last = await feed.publish("orders.new", "durable again", durable=True, confirm=True)
            async with reader.listen("orders.new") as replayed:
                assert await reader.replay("orders.new") == last.seq
                seqs = [(await replayed.receive()).seq for _ in range(last.seq)]
    assert seqs == list(range(1, last.seq + 1))
