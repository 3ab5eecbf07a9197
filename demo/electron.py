"""Starts a real Electron, on a display of its own where needed, and ends it without remains."""

import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

import anyio
import psutil
from anyio.abc import Process

from demo.devtools import DevTools, MainProcess, Page, devtools, main_process

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_S = 20.0
WINDOW_LIMIT_S = 20.0
QUIT_LIMIT_S = 4.0
POLL_S = 0.02
SCREEN = "1920x1200x24"

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

    def tree(self) -> list[psutil.Process]:
        """Electron's main process and everything below it, parents first."""
        try:
            main = psutil.Process(self.process.pid)
            return [main, *main.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def find_electron() -> str:
    """`ELECTRON_BIN`, else what scripts/setup found; raises `ElectronError`."""
    found = os.environ.get("ELECTRON_BIN")
    if not found:
        note = ROOT / "build" / "electron-path"
        found = note.read_text().strip() if note.is_file() else ""
    if not found or not Path(found).is_file():
        raise ElectronError("no Electron: run scripts/setup, or set ELECTRON_BIN to one")
    return found


def electron_command(main: Path, profile: Path, *switches: str) -> list[str]:
    """What starts Electron with a main-process script; raises `ElectronError`."""
    # Chromium's sandbox refuses to work for root.
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    unsandboxed = ["--no-sandbox"] if as_root else []
    return [find_electron(), f"--user-data-dir={profile}", *unsandboxed, *switches, str(main)]


def has_display() -> bool:
    """Whether a person can see windows; only X11 and Wayland are able to say no."""
    return sys.platform != "linux" or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


@asynccontextmanager
async def virtual_display() -> AsyncIterator[str]:
    """Runs Xvfb on a free display and yields its name, such as `:3`."""
    xvfb = shutil.which("Xvfb")
    if xvfb is None:
        raise ElectronError("no display and no Xvfb: run scripts/setup")
    reader, writer = os.pipe()
    command = [xvfb, "-displayfd", str(writer), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    try:
        process = await anyio.open_process(
            command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, pass_fds=[writer]
        )
    finally:
        os.close(writer)
    try:
        with os.fdopen(reader, "rb") as answer:
            number = (await anyio.to_thread.run_sync(answer.readline)).decode().strip()
        if not number:
            raise ElectronError("Xvfb does not start")
        yield f":{number}"
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


@asynccontextmanager
async def electron_session(
    main: Path,
    scratch: Path,
    *,
    switches: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    display: str | None = None,
) -> AsyncIterator[ElectronSession]:
    """Runs `main`, a main-process script, until the block ends; raises `ElectronError`.

    `scratch` gets Electron's profile and log. On the way out every process of the tree is ended.
    """
    await anyio.Path(scratch).mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **(env or {})}
    environment.pop("ELECTRON_RUN_AS_NODE", None)
    if display:
        environment["DISPLAY"] = display
        environment.pop("WAYLAND_DISPLAY", None)
    driven = ["--remote-debugging-port=0", "--inspect=0", *(["--disable-gpu"] if display else [])]
    command = electron_command(main, scratch / "profile", *driven, *switches)
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
                        yield ElectronSession(process, browser, log_file, inspector)
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
    try:
        main = psutil.Process(process.pid)
        tree = [*main.children(recursive=True), main]
        process.terminate()
    except (ProcessLookupError, psutil.NoSuchProcess):
        tree = []
    with anyio.move_on_after(QUIT_LIMIT_S):
        await process.wait()
    for member in tree:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    await process.wait()


async def eventually(check: Callable[[], bool], within_s: float) -> bool:
    """Whether `check` comes true in time; the system tells nobody about others' processes."""
    with anyio.move_on_after(within_s):
        while True:
            if check():
                return True
            await anyio.sleep(POLL_S)
    return False


async def remains(tree: list[psutil.Process], within_s: float) -> list[str]:
    """What of `tree` still runs after a while."""
    await eventually(lambda: not any(runs(process) for process in tree), within_s)
    return [str(process) for process in tree if runs(process)]


def runs(process: psutil.Process) -> bool:
    """A zombie is dead; its parent has not looked yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
