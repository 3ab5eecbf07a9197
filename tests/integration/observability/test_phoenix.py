"""Traces at Arize Phoenix, a product that takes OTLP; where DESKBUS_PHOENIX names its program.

It is no part of the set-up, for it takes a gigabyte:
    python3 -m venv build/phoenix && build/phoenix/bin/pip install arize-phoenix
    export DESKBUS_PHOENIX=build/phoenix/bin/phoenix
    .venv/bin/python -m pytest tests/integration/observability/test_phoenix.py
"""

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.integration.observability.test_tracing import SAMPLED, TRACE, traced

PROGRAM = os.environ.get("DESKBUS_PHOENIX", "")
START_WITHIN_S = 120
SEEN_WITHIN_S = 60


@asynccontextmanager
async def phoenix(folder: Path) -> AsyncIterator[str]:
    """Its address, once it answers."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    environment = {
        **os.environ,
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(ports[0]),
        "PHOENIX_GRPC_PORT": str(ports[1]),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    folder.mkdir()
    with (folder / "phoenix.log").open("wb") as log:
        process = await anyio.open_process(
            [PROGRAM, "serve"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
    url = f"http://127.0.0.1:{ports[0]}"
    try:
        with anyio.fail_after(START_WITHIN_S):
            while await get(f"{url}/healthz") is None:
                assert process.returncode is None, (folder / "phoenix.log").read_text()
                await anyio.sleep(0.5)
        yield url
    finally:
        with anyio.CancelScope(shield=True):
            process.kill()
            await process.wait()


async def get(url: str) -> bytes | None:
    def fetch() -> bytes | None:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                content: bytes = answer.read()
                return content
        except (OSError, urllib.error.HTTPError):
            return None

    return await anyio.to_thread.run_sync(fetch)


@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="DESKBUS_PHOENIX names no program")
async def test_phoenix_shows_the_spans_of_a_message(tmp_path: Path) -> None:
    async with (
        phoenix(tmp_path / "phoenix") as url,
        traced(tmp_path, endpoint=url) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.blotter") as blotter,
        blotter.subscribe("orders.#"),
    ):
        await feed.publish("orders.new", 1, _meta=SAMPLED, confirm=True)
        with anyio.fail_after(SEEN_WITHIN_S):
            while True:
                content = await get(f"{url}/v1/projects/default/spans?limit=100")
                spans: list[Any] = json.loads(content)["data"] if content else []
                names = {s["name"] for s in spans if s["context"]["trace_id"] == TRACE}
                if {"publish orders.new", "route", "deliver orders.new"} <= names:
                    break
                await anyio.sleep(0.5)
        root = next(s for s in spans if s["name"] == "publish orders.new")
    assert root["attributes"]["deskbus.app"] == "desk.feed"
