"""The client is a page in a real Chromium; its way to the gateway is a link that the tests cut."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup
from playwright.async_api import BrowserContext, Page, async_playwright

from demo.processes import command_of, look, tree
from deskbus.commands.open import write_page
from deskbus_protocol.web import PairBrowserResult
from tests.contract.behaviour.desk import READER, Desk, ProgramDesk, origin_of_reader
from tests.contract.behaviour.record import LIMIT_S
from tests.contract.behaviour.scripted_page import BEGIN, LOOK_EVERY_S, ScriptedPage
from tests.integration.connections.faultylink import FaultyLink, faulty_link
from tests.web.chromium import ARGUMENTS, chromium


class BrowserDesk(ScriptedPage, ProgramDesk):
    cuts = 5
    """A worker waits an eighth of a second before it comes back."""

    def __init__(self, folder: Path, config: str, link: FaultyLink) -> None:
        super().__init__([], folder / "data", config, link)
        self._profile = folder / "profile"
        self._ends = False
        self._ended = anyio.Event()
        self._page: Page
        self._context: BrowserContext

    async def run(self, tasks: TaskGroup) -> None:
        await self.begin(tasks)
        origin = await origin_of_reader(self._shell)
        self.link.target = int(origin.rpartition(":")[2])
        tasks.start_soon(self._browse)
        await self.reader.until(lambda: self.reader.state == "open")

    async def _browse(self) -> None:
        rule = f"MAP *.localhost:{self.link.target} 127.0.0.1:{self.link.port}"
        async with async_playwright() as driver:
            self._context = await driver.chromium.launch_persistent_context(
                self._profile,
                executable_path=chromium(),
                args=[*ARGUMENTS, f"--host-resolver-rules={rule}"],
                headless=True,
            )
            self._page = await self._open()
            await self._page.evaluate(BEGIN)
            while not self._ends:
                for word in await self.fetch_words():
                    self.reader.note(word)
                await anyio.sleep(LOOK_EVERY_S)
            await self._context.close()
        self._ended.set()

    async def _open(self) -> Page:
        """As `deskbus open` does it."""
        made = await self._shell.client.call("web.pair", {"app": READER}, result=PairBrowserResult)
        page = await self._context.new_page()
        folder = Path(self._shell.hello.pipe).parent
        await page.goto(write_page(folder, READER, made).as_uri())
        await page.wait_for_url("**/reader.html")
        return page

    async def end(self) -> None:
        """The driver is a process that wants to be asked."""
        self.thaw()
        self._ends = True
        with anyio.move_on_after(LIMIT_S):
            await self._ended.wait()

    async def kill_backend(self) -> None:
        """A backend lets in nobody whom another let in: a person opens the app again."""
        await super().kill_backend()
        page = await self._open()
        await page.close()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        """Sent to every process of the browser."""
        for process in tree(os.getpid()):
            if any("chrom" in word for word in command_of(process)[:1]):
                look(partial(process.send_signal, number), None)


@asynccontextmanager
async def browser_desk(folder: Path, config: str) -> AsyncIterator[Desk]:
    async with (
        faulty_link(folder, os.devnull, over_tcp=True) as link,
        anyio.create_task_group() as tasks,
    ):
        desk = BrowserDesk(folder, config, link)
        try:
            with anyio.fail_after(LIMIT_S):
                await desk.run(tasks)
            yield desk
        finally:
            await desk.end()
            tasks.cancel_scope.cancel()
