"""A real Prometheus for tests, and a way for it to reach the backend's Unix socket."""

import json
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteStream

LIMIT_S = 30


@asynccontextmanager
async def forwarded(path: Path) -> AsyncIterator[int]:
    """The TCP port on the loopback that leads to a Unix socket."""

    async def pump(source: ByteStream, target: ByteStream) -> None:
        try:
            async for piece in source:
                await target.send(piece)
            await target.send_eof()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass

    async def serve(outside: ByteStream) -> None:
        async with outside, await anyio.connect_unix(path) as inside:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(pump, outside, inside)
                await pump(inside, outside)
                tasks.cancel_scope.cancel()

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, serve)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


class Prometheus:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/"

    async def get(self, path: str, **params: str) -> Any:
        """The `data` of an answer; raises `AssertionError` with what Prometheus complains of."""

        def fetch() -> Any:
            url = f"{self._url}{path}?{urllib.parse.urlencode(params)}"
            try:
                with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                raise AssertionError(error.read().decode()) from None

        answer = await anyio.to_thread.run_sync(fetch)
        assert answer["status"] == "success", answer
        return answer["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("query", query=expression))["result"]
        return found

    async def value(self, expression: str) -> float | None:
        found = await self.query(expression)
        return float(found[0]["value"][1]) if found else None

    async def until(self, expression: str, wanted: float) -> None:
        """Waits until a query has this value at least: scrapes come when they come."""
        with anyio.fail_after(LIMIT_S):
            while ((await self.value(expression)) or 0.0) < wanted:
                await anyio.sleep(0.1)


@asynccontextmanager
async def prometheus(folder: Path, target_port: int, rules: Path) -> AsyncIterator[Prometheus]:
    """Scrapes the port each second, and has the alert rules."""
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    config = folder / "prometheus.yml"
    config.write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n"
        f"rule_files: [{rules}]\n"
        f"scrape_configs:\n"
        f"  - job_name: deskbus\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]\n"
    )
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"]
    with (folder / "prometheus.log").open("wb") as log:
        process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    server = Prometheus(port)
    try:
        with anyio.fail_after(LIMIT_S):
            while True:
                try:
                    await server.get("status/buildinfo")
                    break
                except (OSError, AssertionError):
                    assert process.returncode is None, (folder / "prometheus.log").read_text()
                    await anyio.sleep(0.05)
        yield server
    finally:
        with anyio.CancelScope(shield=True):
            process.kill()
            await process.wait()
