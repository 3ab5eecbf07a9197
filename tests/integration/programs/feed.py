"""An app process: publishes its own pid and that of a stubborn grandchild, then waits."""

import os
import signal
import subprocess
import sys

import anyio

from deskbus_protocol.client import connect_as_app

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


async def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", STUBBORN])
    async with connect_as_app() as client:
        secret = [name for name in os.environ if "TICKET" in name]
        pids = {"pids": [os.getpid(), child.pid], "secret": secret, "argv": sys.argv}
        await client.publish("feed.pids", {**pids, "environment": sorted(os.environ)}, confirm=True)
        await client.closed.wait()


anyio.run(main)
