"""Starts a real Electron, on a display of its own where needed, and ends it without remains."""

import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

import anyio
from anyio.abc import Process
from websockets.exceptions import WebSocketException

from demo.devtools import DevTools, DevToolsError, MainProcess, Page, devtools, main_process
from demo.processes import Process as Member
from demo.processes import kill, look, tree
from demo.processes import process as member
from demo.screen import Box, Screen, ScreenError

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 20.0
WINDOW_LIMIT_S = 20.0
QUIT_LIMIT_S = 4.0
PICTURE_TRIES = 3
PICTURE_LIMIT_S = 3.0
PAINT_S = 0.15
"""From what a page says of itself to what the screen shows of it."""

DIALOG_PAGE = "/dialog.html"
ALLOW, DENY = "#allow", "#deny"
REMEMBER = "input[name=remember][value=always]"
"""Of a consent dialog: its buttons, and the choice to remember the answer for good."""
"""The consent dialog's page and its controls."""

LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")
INSPECTED = re.compile(rb"Debugger listening on (ws://\S+)")


class ElectronError(Exception):
    """Electron can't be started; the message says what to do."""


@dataclass
class ElectronSession:
    """A running Electron. `log` is the file with what it and the backend wrote to stderr."""

    process: Process
    browser: DevTools
    log: Path
    inspector: str
    screen: Screen | None

    @asynccontextmanager
    async def main_process(self) -> AsyncIterator[MainProcess]:
        """Evaluates in Electron's main process."""
        async with main_process(self.inspector) as connected:
            yield connected

    async def window(self, ending: str, *, timeout_s: float = WINDOW_LIMIT_S) -> Page:
        """Waits for the window whose address ends so; raises `DevToolsError`."""
        return await self.browser.page(
            ending, lambda target: target.url.endswith(ending), timeout_s=timeout_s
        )

    async def dialog(self, *, timeout_s: float = WINDOW_LIMIT_S) -> Page:
        """Waits until a consent dialog is in view, with Deny in focus; raises `DevToolsError`."""
        dialog = await self.window(DIALOG_PAGE, timeout_s=timeout_s)
        await dialog.until(f"document.activeElement.matches('{DENY}')", timeout_s=timeout_s)
        return dialog

    async def picture(self, page: Page, path: Path) -> bool:
        """Writes a PNG of a window to `path`; whether one could be had."""
        return await self._written(path, lambda: self._picture_of(page))

    async def desk_picture(self, path: Path) -> bool:
        """The same of the whole screen, where it is one of our own."""
        return await self._written(path, self._picture_of_desk)

    async def _written(self, path: Path, take: Callable[[], Awaitable[bytes]]) -> bool:
        for _ in range(PICTURE_TRIES):
            try:
                with anyio.fail_after(PICTURE_LIMIT_S):
                    await anyio.Path(path).write_bytes(await take())
                    return True
            except (DevToolsError, ScreenError, TimeoutError, OSError, WebSocketException):
                await anyio.sleep(PAINT_S)
        return False

    async def _picture_of(self, page: Page) -> bytes:
        """Electron 9 draws no window anew for a picture, so main raises it and the screen is asked.

        On a display that others share, main asks the window itself for a frame.
        """
        async with self.main_process() as main:
            window = f"""electron.BrowserWindow.getAllWindows().find(
                (each) => each.isVisible() && each.webContents.getURL() === {json.dumps(page.url())}
            )"""
            if self.screen is None:
                taken = await main.evaluate(
                    f"""(async (electron) => {{
                        const {{ webContents }} = {window};
                        webContents.invalidate();
                        return (await webContents.capturePage()).toPNG().toString('base64');
                    }})(require('electron'))"""
                )
                return base64.b64decode(taken)
            box = await main.evaluate(
                f"""((electron) => {{
                    const window = {window};
                    window.moveTop();
                    window.webContents.invalidate();
                    const {{ x, y, width, height }} = window.getContentBounds();
                    return [x, y, width, height];
                }})(require('electron'))"""
            )
        await anyio.sleep(PAINT_S)
        return await anyio.to_thread.run_sync(self.screen.picture, Box(*box))

    async def _picture_of_desk(self) -> bytes:
        if self.screen is None:
            raise ScreenError("the whole screen is not ours to show")
        return await anyio.to_thread.run_sync(self.screen.picture)

    def tree(self) -> list[Member]:
        """Electron's main process and everything below it, parents first."""
        return tree(self.process.pid)


def find_electron() -> str:
    """`ELECTRON_BIN`, else what scripts/setup found; raises `ElectronError`."""
    found = os.environ.get("ELECTRON_BIN")
    if not found:
        note = ROOT / "build" / "electron-path"
        found = note.read_text().strip() if note.is_file() else ""
    if not found or not Path(found).is_file():
        raise ElectronError("no Electron: run scripts/setup, or set ELECTRON_BIN to one")
    return found


def electron_command(
    main: Path | None, profile: Path, *switches: str, program: Path | None = None
) -> list[str]:
    """The command that starts Electron with a main-process script, or a packaged `program`.

    Raises `ElectronError`.
    """
    # Chromium's sandbox refuses to work for root.
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    unsandboxed = ["--no-sandbox"] if as_root else []
    scripts = [] if main is None else [str(main)]
    electron = find_electron() if program is None else str(program)
    return [electron, f"--user-data-dir={profile}", *unsandboxed, *switches, *scripts]


def has_display() -> bool:
    """Whether a person can see windows; only X11 and Wayland are able to say no."""
    return sys.platform != "linux" or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


@asynccontextmanager
async def electron_session(
    main: Path | None,
    scratch: Path,
    *,
    program: Path | None = None,
    switches: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    display: Screen | None = None,
) -> AsyncIterator[ElectronSession]:
    """Runs `main`, a main-process script, or a packaged `program`, until the block ends.

    Raises `ElectronError`.

    `scratch` gets Electron's profile and log. On the way out every process of the tree is ended.
    """
    await anyio.Path(scratch).mkdir(parents=True, exist_ok=True)
    environment = {"DESKBUS_LOCALE": "en", **os.environ, **(env or {})}
    environment.pop("ELECTRON_RUN_AS_NODE", None)
    if display:
        environment["DISPLAY"] = display.name
        environment.pop("WAYLAND_DISPLAY", None)
    driven = ["--remote-debugging-port=0", "--inspect=0", *(["--disable-gpu"] if display else [])]
    profile = scratch / "profile"
    command = electron_command(main, profile, *driven, *switches, program=program)
    process = await anyio.open_process(
        command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, env=environment
    )
    try:
        async with await anyio.open_file(scratch / "electron.log", "wb") as log:
            inspector, address = await _listening(process, log)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_copy, process, log)
                try:
                    async with devtools(address) as browser:
                        log_file = scratch / "electron.log"
                        yield ElectronSession(process, browser, log_file, inspector, display)
                finally:
                    with anyio.CancelScope(shield=True):
                        await _end(process)
                    tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
            await process.aclose()


async def _listening(process: Process, log: anyio.AsyncFile[bytes]) -> tuple[str, str]:
    """Waits until Electron says where its main process and its windows can be inspected."""
    assert process.stderr is not None
    head = b""
    try:
        with anyio.fail_after(START_LIMIT_S):
            while not ((found := LISTENING.search(head)) and (main := INSPECTED.search(head))):
                block = await process.stderr.receive()
                head += block
                await log.write(block)
    except (TimeoutError, anyio.EndOfStream) as error:
        await log.flush()
        raise ElectronError(f"Electron does not start; see {log.name}") from error
    return main[1].decode(), found[1].decode()


async def _copy(process: Process, log: anyio.AsyncFile[bytes]) -> None:
    assert process.stderr is not None
    async for block in process.stderr:
        await log.write(block)
        await log.flush()


async def _end(process: Process) -> None:
    """Asks a process to quit, then kills what is left of it and of its tree."""
    if process.returncode is not None:
        return
    # Not by anyio: its way of sending a signal looks whether the process has ended, and so may
    # take the exit status from whoever waits for it.
    root, members = member(process.pid), tree(process.pid)
    if root is not None:
        look(root.terminate, None)
    with anyio.move_on_after(QUIT_LIMIT_S):
        await process.wait()
    kill(reversed(members))
    if root is not None:
        kill([root])
    await process.wait()
