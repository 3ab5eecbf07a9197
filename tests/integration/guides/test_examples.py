"""The programs of examples/ that need no window, run as they stand there."""

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio.streams.text import TextReceiveStream

from deskbus.config import runtime_dir_for
from deskbus_protocol.client import Client
from tests.conftest import absent
from tests.integration.commands.test_cli import headless, run
from tests.integration.shell import TestShell, start_shell
from tests.support.examples import EXAMPLES, set_up_examples

LIMIT_S = 30


@pytest.fixture
async def shell(tmp_path: Path, anyio_backend: str) -> AsyncIterator[TestShell]:
    """A shell with the examples' own configuration."""
    examples = set_up_examples(tmp_path)
    config = (examples / "deskbus.toml").read_text("utf-8")
    async with start_shell(examples, config=config) as started:
        yield started


async def test_the_python_app_publishes_temperatures(shell: TestShell) -> None:
    async with shell.app("example.weather") as page, page.subscribe("weather.#") as readings:
        with anyio.fail_after(LIMIT_S):
            await shell.client.call("apps.launch", {"app": "example.thermometer"})
            reading = await readings.receive()
    assert reading.topic == "weather.temperature"
    assert reading.sender.app == "example.thermometer"
    assert 17 < msgspec.json.decode(reading.payload) < 19


async def test_the_node_app_converts_on_request(shell: TestShell) -> None:
    if shutil.which("node") is None:
        absent("there is no node")
    ready = anyio.Event()

    def on_changed(params: msgspec.Raw) -> None:
        if msgspec.json.decode(params)["status"]["state"] == "ready":
            ready.set()

    shell.client.observe("apps.changed", on_changed)
    async with shell.app("example.weather") as page:
        with anyio.fail_after(LIMIT_S):
            await shell.client.call("apps.launch", {"app": "example.converter"})
            await ready.wait()
            answers = [await converted(page, celsius) for celsius in (0, 21.5, 100)]
    assert answers == [32, 70.7, 212]


async def converted(page: Client, celsius: float) -> float:
    answer = await page.request("convert.fahrenheit", celsius)
    return float(msgspec.json.decode(answer.payload))


async def test_the_plain_client_prints_what_is_published(tmp_path: Path) -> None:
    data = tmp_path / "data"
    pipe = runtime_dir_for(data) / "bus.sock"
    async with headless(data):
        program = await anyio.open_process(
            [sys.executable, str(EXAMPLES / "rpc.py"), str(pipe)], stdin=subprocess.DEVNULL
        )
        assert program.stdout is not None
        try:
            with anyio.fail_after(LIMIT_S):
                while '"receivers":0' in (await publish(data, '{"celsius": 18.1}')):
                    await anyio.lowlevel.checkpoint()
                line = await TextReceiveStream(program.stdout).receive()
        finally:
            program.terminate()
            with anyio.CancelScope(shield=True):
                await program.aclose()
    assert line == 'weather.here {"celsius": 18.1}\n'


async def publish(data: Path, payload: str) -> str:
    _, out, _ = await run("pub", "weather.here", payload, data_dir=data)
    return out
