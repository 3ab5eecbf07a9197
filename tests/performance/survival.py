"""Kills Electron, and the backend under Electron, at random moments, with the demo running."""

import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from demo.devtools import DevToolsError
from demo.electron import (
    ROOT,
    ElectronSession,
    electron_session,
    has_display,
)
from demo.processes import Process, command_of, eventually, marked, remains
from demo.screen import Screen, virtual_display
from tests.integration.processes.orphans_after_kill import LeftError, kill_round

GONE_WITHIN_S = 2.0
BACK_WITHIN_S = 20.0
LONGEST_LIFE_S = 2.0
WINDOWS = ("/blotter/index.html", "/ticker/index.html", "/chaos/index.html")


async def survive(rounds: int, seed: int) -> int:
    chance = random.Random(seed)
    try:
        await _backends(rounds, chance)
        async with _display() as display:
            await _backends_under_electron(rounds, chance, display)
            await _electrons(rounds, chance, display)
    except (LeftError, DevToolsError, TimeoutError) as error:
        print(f"seed {seed}: {error}")
        return 1
    return 0


async def _backends(rounds: int, chance: random.Random) -> None:
    longest_s = 0.0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            longest_s = max(longest_s, await kill_round(Path(folder) / "data", chance))
    print(f"{rounds} kills of the backend amid its apps: all gone within {longest_s:.2f} s")


async def _backends_under_electron(
    rounds: int, chance: random.Random, display: Screen | None
) -> None:
    longest_s = 0.0
    with tempfile.TemporaryDirectory(prefix="deskbus-survival-") as folder:
        async with _demo(Path(folder), display) as session:
            pages = [await session.window(name) for name in WINDOWS]
            for _ in range(rounds):
                await anyio.sleep(chance.uniform(0.2, LONGEST_LIFE_S))
                backend = _backend_of(session)
                if backend is None:
                    raise LeftError("there is no backend to kill")
                apps = backend.children(recursive=True)
                backend.kill()
                left = await remains([backend, *apps], GONE_WITHIN_S)
                if left:
                    raise LeftError(f"left of a killed backend: {left}")
                killed_at = time.monotonic()
                back = partial(_is_other_backend, session, backend)
                if not await eventually(back, BACK_WITHIN_S):
                    raise LeftError("the backend did not come back")
                for page in pages:
                    await page.until("deskbus.state() === 'open'", timeout_s=BACK_WITHIN_S)
                longest_s = max(longest_s, time.monotonic() - killed_at)
    print(
        f"{rounds} kills of the backend under Electron: nothing left, "
        f"every window back within {longest_s:.1f} s"
    )


async def _electrons(rounds: int, chance: random.Random, display: Screen | None) -> None:
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="deskbus-survival-") as folder:
            async with _demo(Path(folder), display) as session:
                await session.window(WINDOWS[0])
                await anyio.sleep(chance.uniform(0, LONGEST_LIFE_S))
                tree = session.tree()
                session.process.kill()
                left = await remains(tree, GONE_WITHIN_S)
                if left or marked(folder):
                    raise LeftError(f"left of a killed Electron: {left or marked(folder)}")
    print(f"{rounds} kills of Electron: everything gone within {GONE_WITHIN_S:g} s")


@asynccontextmanager
async def _demo(folder: Path, display: Screen | None) -> AsyncIterator[ElectronSession]:
    env = {"DESKBUS_PYTHON": sys.executable, "DESKBUS_DATA_DIR": str(folder / "data")}
    main = ROOT / "demo" / "main.js"
    async with electron_session(main, folder, env=env, display=display) as session:
        yield session


@asynccontextmanager
async def _display() -> AsyncIterator[Screen | None]:
    if has_display():
        yield None
        return
    async with virtual_display() as name:
        yield name


def _backend_of(session: ElectronSession) -> Process | None:
    for process in session.tree():
        if {"deskbus", "serve"} <= set(command_of(process)):
            return process
    return None


def _is_other_backend(session: ElectronSession, killed: Process) -> bool:
    return _backend_of(session) not in (None, killed)
