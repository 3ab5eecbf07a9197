"""An app whose process starts another one that hides in a session of its own."""

import subprocess
import sys

import anyio

from deskbus_protocol.client import connect_as_app

CHILD = "import signal; signal.pause()"


async def main() -> None:
    async with connect_as_app() as bus:
        await bus.closed.wait()


subprocess.Popen([sys.executable, "-c", CHILD], start_new_session=True)
anyio.run(main)
