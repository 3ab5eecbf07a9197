"""An app whose descendants go where they are not looked for: `hidden_descendants.py MARK`."""

import os
import subprocess
import sys

import anyio

from deskbus_protocol.client import run_as_app

DAEMON = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""


async def main(mark: str) -> None:
    for apart in (False, True):
        subprocess.Popen([sys.executable, "-c", DAEMON, mark], start_new_session=apart)
    async with run_as_app() as app:
        await app.ready()
        await app.bus.publish("hiding.up", os.getpid())
        await anyio.sleep_forever()


anyio.run(main, sys.argv[1])
