"""The packaged example in a fresh folder: start, consent, message, crash, update, uninstall."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

import anyio
import pytest

from demo.devtools import Page
from demo.electron import ALLOW, REMEMBER, ElectronSession, electron_session
from demo.processes import Process, command_of
from demo.screen import Screen, virtual_display
from deskbus.config import runtime_dir_for
from deskbus.transport.named_pipes.pipe import is_held
from tests.integration.vault.secretservice import SecretService
from tests.packaged.conftest import BUILD
from tests.packaged.recipes import Workshop, name_of

TOOLS = ("sh", "ps", "readlink", "uname")
"""On the PATH of the packaged app: whatever a system has, but for a Python."""

ANSWERED = "/^mean 2.5, by numpy [0-9]/.test(document.querySelector('output').textContent)"
TOLD = "document.querySelector('output').textContent !== 'asking'"
LIMIT_S = 90
GONE_WITHIN_S = 5
REQUEST_LIMIT_S = 30
"""Longer than a request waits for its answer."""


@pytest.fixture(scope="session")
async def display(anyio_backend: str) -> AsyncIterator[Screen]:
    async with virtual_display() as screen:
        yield screen


@pytest.fixture(scope="module", params=["electron-builder", "forge"])
def packaged(request: pytest.FixtureRequest, made_bundle: Path) -> tuple[Path, str]:
    """The folder with the packaged app, and the name of its program."""
    recipe = str(request.param)
    return Workshop(BUILD / "workshop", made_bundle).package(recipe), name_of(recipe)


@pytest.fixture
def installed(packaged: tuple[Path, str], tmp_path: Path) -> Path:
    """The program of the app in a folder that has seen none of its parts before."""
    folder, name = packaged
    return Path(shutil.copytree(folder, tmp_path / "Example App")) / name


@pytest.fixture
def path_without_python(tmp_path: Path) -> str:
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return str(folder)


def running_from(folder: Path) -> list[str]:
    """Every program of a folder that a process runs."""
    programs = []
    for process in Path("/proc").glob("[0-9]*"):
        # It may end meanwhile.
        with suppress(OSError):
            program = (process / "exe").readlink()
            if program.is_relative_to(folder):
                programs.append(f"{process.name} {program}")
    return programs


async def nothing_runs_from(folder: Path) -> None:
    """Electron's own processes may outlive its main process by a moment."""
    with anyio.fail_after(GONE_WITHIN_S):
        while running_from(folder):
            await anyio.sleep(0.05)


async def board_of(session: ElectronSession) -> Page:
    board = await session.window("board/index.html")
    await board.until("window.deskbus && document.querySelector('button') !== null")
    return board


async def ask_until_answered(board: Page) -> None:
    """Presses the button until the Python app, which may be starting, has answered."""
    with anyio.fail_after(LIMIT_S):
        while True:
            await board.click("button")
            await board.until(TOLD, timeout_s=REQUEST_LIMIT_S)
            if await board.evaluate(ANSWERED):
                return


async def statistics_app(session: ElectronSession, *, but: Process | None = None) -> Process:
    """The process of the Python app; waits for it."""
    with anyio.fail_after(LIMIT_S):
        while True:
            for each in session.tree():
                if each != but and "statistics_app.py" in " ".join(command_of(each)[1:4]):
                    return each
            await anyio.sleep(0.05)


async def test_an_installed_app_lives_without_python(
    packaged: tuple[Path, str],
    installed: Path,
    path_without_python: str,
    tmp_path: Path,
    display: Screen,
    keychain: SecretService,
) -> None:
    scratch = tmp_path / "user"

    def started() -> AbstractAsyncContextManager[ElectronSession]:
        return electron_session(
            None,
            scratch,
            program=installed,
            env={"PATH": path_without_python},
            display=display,
        )

    async with started() as session:
        board = await board_of(session)
        app = await statistics_app(session)
        assert Path(f"/proc/{app.pid}/exe").readlink().is_relative_to(installed.parent)
        await board.click("button")
        dialog = await session.dialog()
        await dialog.click(REMEMBER)
        await dialog.until(f"document.querySelector('{ALLOW}').disabled === false")
        await dialog.click(ALLOW)
        await session.browser.gone(dialog)
        await ask_until_answered(board)

        os.kill(app.pid, signal.SIGKILL)
        await statistics_app(session, but=app)
        await ask_until_answered(board)
    await nothing_runs_from(installed.parent)

    async with started() as session:
        # The person's answer was kept: there is no dialog.
        await ask_until_answered(await board_of(session))
        async with session.main_process() as main:
            await main.evaluate(
                "void require('electron').Menu.getApplicationMenu()"
                ".getMenuItemById('update').click()"
            )
        with anyio.fail_after(LIMIT_S):
            await session.process.wait()
        await nothing_runs_from(installed.parent)
    shutil.rmtree(installed.parent)
    shutil.copytree(packaged[0], installed.parent)

    async with started() as session:
        await ask_until_answered(await board_of(session))
    await nothing_runs_from(installed.parent)
    assert not is_held(runtime_dir_for(scratch / "profile/deskbus"))
    shutil.rmtree(installed.parent)
