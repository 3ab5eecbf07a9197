"""Runs the Electron under measurement: `python -m tests.performance.desktop.host WIRE SOCKET`.

On Linux it has a display of its own. SIGTERM ends it with all that it started.
"""

import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from subprocess import DEVNULL

import anyio

from demo.electron import electron_command
from demo.screen import virtual_display

MAIN = Path(__file__).parent / "main.js"
LEAVE_LIMIT_S = 4.0


async def main(wire: str, socket: str) -> int:
    """The exit code is Electron's, 0 where it was asked to end."""
    folder = Path(os.environ["BENCH_FOLDER"])
    async with AsyncExitStack() as stack:
        environment = {**os.environ, "BENCH_PYTHON": sys.executable}
        switches = []
        if sys.platform == "linux":
            display = await stack.enter_async_context(virtual_display())
            environment["DISPLAY"] = display.name
            environment.pop("WAYLAND_DISPLAY", None)
            switches = ["--disable-gpu"]
        command = electron_command(MAIN, folder / "profile", *switches)
        signals = stack.enter_context(anyio.open_signal_receiver(signal.SIGTERM))
        process = await anyio.open_process(
            [*command, wire, socket], stdin=DEVNULL, stdout=DEVNULL, stderr=None, env=environment
        )
        code = 0

        async def ended() -> None:
            nonlocal code
            code = await process.wait()
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ended)
            async for _ in signals:
                break
            tasks.cancel_scope.cancel()
        if process.returncode is None:
            process.terminate()
            with anyio.move_on_after(LEAVE_LIMIT_S):
                await process.wait()
        if process.returncode is None:
            process.kill()
        return code


if __name__ == "__main__":
    sys.exit(anyio.run(main, sys.argv[1], sys.argv[2]))
