"""The client is a page in a real Electron, whose main process is the shell."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from demo.devtools import Page
from demo.electron import ElectronSession, electron_session
from demo.screen import virtual_display
from deskbus.config import SOCKET_NAME, runtime_dir_for
from deskbus_protocol.client import Client, connect_with_ticket
from tests.contract.behaviour.desk import READER, Desk
from tests.contract.behaviour.record import LIMIT_S, Record
from tests.contract.behaviour.scripted_page import BEGIN, LOOK_EVERY_S, ScriptedPage
from tests.electron.mainprocess import in_main, shell_call
from tests.integration.connections.faultylink import FaultyLink, faulty_link

HERE = Path(__file__).resolve().parent
WINDOW = f"""
[[apps.windows]]
url = "{(HERE / "reader.html").as_uri()}"
"""


class PageDesk(ScriptedPage):
    cuts = 100

    def __init__(self, session: ElectronSession, pipe: str, link: FaultyLink) -> None:
        self.link = link
        self.reader = Record()
        self._session = session
        self._pipe = pipe
        self._page: Page

    async def run(self, tasks: TaskGroup) -> None:
        self._page = await self._session.window("reader.html")
        await self._page.until("window.deskbus && deskbus.state() === 'open'")
        await self._page.evaluate(BEGIN)
        tasks.start_soon(self._listen)
        await self.reader.until(lambda: self.reader.state == "open")

    @asynccontextmanager
    async def feed(self) -> AsyncIterator[Client]:
        minted = await shell_call(
            self._session, "session.mintTicket", app="desk.feed", client="main"
        )
        async with connect_with_ticket(self._pipe, minted["ticket"], "desk.feed") as feed:
            yield feed

    async def kill_backend(self) -> None:
        pid = await in_main(self._session, "shell.pid")
        os.kill(pid, signal.SIGKILL)
        with anyio.fail_after(LIMIT_S):
            while not await in_main(self._session, f"shell.state === 'up' && shell.pid !== {pid}"):
                await anyio.sleep(LOOK_EVERY_S)

    def freeze(self) -> None:
        os.kill(self._session.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._session.process.pid, signal.SIGCONT)

    async def _listen(self) -> None:
        while True:
            for word in await self.fetch_words():
                self.reader.note(word)
            await anyio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def page_desk(folder: Path, config: str) -> AsyncIterator[Desk]:
    data_dir = folder / "data"
    pipe = str(runtime_dir_for(data_dir) / SOCKET_NAME)
    file = folder / "deskbus.toml"
    file.write_text(config)
    env = {
        "DESKBUS_PYTHON": sys.executable,
        "DESKBUS_DATA_DIR": str(data_dir),
        "DESKBUS_CONFIG": str(file),
        "DESKBUS_APPS": READER,
        "DESKBUS_TEST_LINK": str(folder / "faulty.sock"),
    }
    async with (
        virtual_display() as display,
        faulty_link(folder, pipe) as link,
        electron_session(HERE / "main.js", folder, env=env, display=display) as session,
        anyio.create_task_group() as tasks,
    ):
        desk = PageDesk(session, pipe, link)
        try:
            await desk.run(tasks)
            yield desk
        finally:
            desk.thaw()
            tasks.cancel_scope.cancel()
