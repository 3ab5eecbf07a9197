"""A backend, a client behind a faulty link, and somebody who feeds it: one for each driver."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import anyio
import msgspec
from anyio.abc import Process, TaskGroup

from deskbus_protocol.bus import Mode
from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.web import WebSitesResult
from tests.contract.behaviour.record import LIMIT_S, Record
from tests.integration.connections.faultylink import FaultyLink, faulty_link
from tests.integration.shell import TestShell, start_shell

READERS = Path(__file__).resolve().parent / "readers"
READER = "desk.reader"
PAGE = '<!doctype html><html lang="en"><title>A client that the tests drive</title></html>'


class Desk(Protocol):
    """`reader` is what happened to the client; its state is `open` when the desk is."""

    link: FaultyLink
    reader: Record
    cuts: int
    """How often the link is cut where it is cut often."""

    def feed(self) -> AbstractAsyncContextManager[Client]:
        """Somebody who publishes, on a link without faults, to the backend that runs now."""

    async def kill_backend(self) -> None:
        """SIGKILL; returns when there is another one in its place."""

    async def subscribe(self, pattern: str, mode: Mode = "live") -> None: ...

    async def post(self, topic: str, number: int, while_closed: str = "refuse") -> int:
        """Publishes without confirmation; `reader.outcomes` has whether that was refused."""

    async def call(self, topic: str, number: int, while_closed: str = "refuse") -> int:
        """Begins a confirmed publish; `reader.outcomes` has what becomes of it under the result."""

    def freeze(self) -> None:
        """The client's machine sleeps, as far as its process can tell."""

    def thaw(self) -> None: ...


async def reconnected(desk: Desk) -> None:
    """Cuts the link; returns when the client has a session again."""
    seen = len(desk.reader.states)
    desk.link.cut()
    await desk.reader.until(lambda: "open" in desk.reader.states[seen:])


class ProgramDesk:
    """The client is a program that is driven by lines; the tests are the shell."""

    cuts = 100

    def __init__(self, command: list[str], data_dir: Path, config: str, link: FaultyLink) -> None:
        self.link = link
        self.reader = Record()
        self._command = command
        self._data_dir = data_dir
        self._config = config
        self._ids = 0
        self._up = anyio.Event()
        data_dir.mkdir()
        (data_dir / "reader.html").write_text(PAGE)
        self._tasks: TaskGroup
        self._shell: TestShell
        self._process: Process

    async def begin(self, tasks: TaskGroup) -> None:
        """Returns when there is a backend."""
        self._tasks = tasks
        tasks.start_soon(self._keep_backend)
        await self._up.wait()

    async def run(self, tasks: TaskGroup) -> None:
        await self.begin(tasks)
        command = [*self._command, await self._address(), READER]
        env = {**os.environ, "DESKBUS_TEST_LINK": self.link.path}
        self._process = await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, env=env
        )
        tasks.start_soon(self._listen)
        await self.reader.until(lambda: self.reader.state == "open")

    async def _address(self) -> str:
        """The address that the client is given; the link leads to the same place."""
        self.link.target = self._shell.hello.pipe
        return self.link.path

    async def end(self) -> None:
        self.thaw()
        self._process.kill()
        await self._process.wait()
        await self._process.aclose()

    @asynccontextmanager
    async def feed(self) -> AsyncIterator[Client]:
        async with self._shell.app("desk.feed") as feed:
            yield feed

    async def kill_backend(self) -> None:
        self._up = anyio.Event()
        self._shell.process.kill()
        with anyio.fail_after(LIMIT_S):
            await self._up.wait()

    async def subscribe(self, pattern: str, mode: Mode = "live") -> None:
        done = await self._ask("subscribe", pattern=pattern, mode=mode)
        await self.reader.until(lambda: done in self.reader.outcomes)
        assert self.reader.outcomes[done] is None

    async def call(self, topic: str, number: int, while_closed: str = "refuse") -> int:
        return await self._ask("call", topic=topic, number=number, whileClosed=while_closed)

    async def post(self, topic: str, number: int, while_closed: str = "refuse") -> int:
        return await self._ask("post", topic=topic, number=number, whileClosed=while_closed)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    async def _keep_backend(self) -> None:
        while True:
            async with start_shell(self._data_dir, config=self._config, consent="allow") as shell:
                self._shell = shell
                self._up.set()
                await shell.process.wait()

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        held = b""
        async for block in self._process.stdout:
            *lines, held = (held + block).split(b"\n")
            for line in lines:
                word = msgspec.json.decode(line)
                if "ticket" in word:
                    self._tasks.start_soon(self._hand_ticket)
                else:
                    self.reader.note(word)

    async def _hand_ticket(self) -> None:
        """From the backend that is there, or of the next one."""
        while True:
            await self._up.wait()
            try:
                ticket = await self._shell.ticket(READER)
            except DeskbusError:
                continue
            await self._write(op="ticket", ticket=ticket)
            return

    async def _ask(self, op: str, **params: object) -> int:
        self._ids += 1
        await self._write(id=self._ids, op=op, **params)
        return self._ids

    async def _write(self, **word: object) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send(msgspec.json.encode(word) + b"\n")


class WebSocketDesk(ProgramDesk):
    """The client comes over a WebSocket, through the gateway."""

    cuts = 20

    async def _address(self) -> str:
        origin = await origin_of_reader(self._shell)
        self.link.target = int(origin.rpartition(":")[2])
        return origin


async def origin_of_reader(shell: TestShell) -> str:
    known = await shell.client.call("web.sites", {}, result=WebSitesResult)
    url: str = next(site.url for site in known.sites if site.app == READER)
    return url.rpartition("/")[0]


NODE = ["node", str(READERS / "steady.js")]
COMMANDS: dict[str, tuple[type[ProgramDesk], list[str]]] = {
    "python": (ProgramDesk, [sys.executable, str(READERS / "steady.py")]),
    "node": (ProgramDesk, NODE),
    "websocket": (WebSocketDesk, NODE),
}


@asynccontextmanager
async def program_desk(driver: str, folder: Path, config: str) -> AsyncIterator[Desk]:
    kind, command = COMMANDS[driver]
    async with faulty_link(folder, os.devnull) as link, anyio.create_task_group() as tasks:
        desk = kind(command, folder / "data", config, link)
        await desk.run(tasks)
        try:
            yield desk
        finally:
            with anyio.CancelScope(shield=True):
                await desk.end()
            tasks.cancel_scope.cancel()
