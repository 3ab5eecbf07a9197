"""A real nats-server for tests, which can be killed and started again where it was."""

import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process

LIMIT_S = 20


class NatsServer:
    """Keeps its port and its JetStream files from one life to the next."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self._folder = folder
        self._options = options
        self._process: Process | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Returns when it accepts connections."""
        command = ["nats-server", "-a", "127.0.0.1", "-p", str(self.port), "-js"]
        command += self._options
        command += ["-sd", str(self._folder / "nats"), "-l", str(self._folder / "nats.log")]
        self._process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with anyio.fail_after(LIMIT_S):
            while not await self._greets():
                await anyio.sleep(0.02)

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    async def _greets(self) -> bool:
        try:
            async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
                return (await stream.receive()).startswith(b"INFO ")
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
            return False


@asynccontextmanager
async def nats_server(folder: Path, *options: str) -> AsyncIterator[NatsServer]:
    folder.mkdir(parents=True, exist_ok=True)
    server = NatsServer(folder, options)
    try:
        await server.start()
        yield server
    finally:
        with anyio.CancelScope(shield=True):
            await server.kill()
