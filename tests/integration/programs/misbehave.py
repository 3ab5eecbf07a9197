"""An app that does one bad thing, once it is told to: `misbehave.py WHAT`.

What grows is bounded here too, in case that nobody stops it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

import anyio
import anyio.lowlevel

from deskbus_protocol.client import App, run_as_app

HOUR_S = 3600
MEGABYTE = 1024 * 1024
SLEEPER = "import time; time.sleep(3600)"
BOMB = """
import os, sys, time
left = int(sys.argv[1])
for _ in range(2):
    if left > 0 and os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-I", "-S", *sys.orig_argv[3:5], str(left - 1)])
time.sleep(3600)
"""


def eat_memory() -> None:
    kept = [os.urandom(MEGABYTE) for _ in range(3000)]
    time.sleep(HOUR_S)
    kept.clear()


def fork() -> None:
    """Doubles, but to 2^7 at most."""
    subprocess.Popen([sys.executable, "-I", "-S", "-c", BOMB, "6"])
    time.sleep(HOUR_S)


def spin() -> None:
    while True:
        pass


def flood_log() -> None:
    line = b"all work and no play " * 50 + b"\n"
    while True:
        os.write(1, line)


def ignore_the_end() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(HOUR_S)


def hide() -> None:
    """Leaves session, group and parent, as a daemon does; its child does so again and forgets."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            subprocess.Popen([sys.executable, "-c", SLEEPER], env={"PATH": os.environ["PATH"]})
            os.execv(sys.executable, [sys.executable, "-c", SLEEPER])
        os._exit(0)
    time.sleep(0.5)
    os._exit(7)


def close_everything() -> None:
    os.closerange(0, 4096)
    time.sleep(HOUR_S)


def crash() -> None:
    ctypes.string_at(0)


async def flood_bus(app: App) -> None:
    while True:
        for _ in range(1000):
            await app.bus.publish("flood", "x" * 200)
        await anyio.lowlevel.checkpoint()


BAD = {
    "memory": eat_memory,
    "fork": fork,
    "spin": spin,
    "log": flood_log,
    "stubborn": ignore_the_end,
    "hide": hide,
    "close": close_everything,
    "crash": crash,
}


async def main(what: str) -> None:
    if what == "never-ready":
        await anyio.sleep(HOUR_S)
    async with run_as_app(read=["bad.go"]) as app:
        await app.ready()
        async for _ in app.messages("bad.go"):
            if what == "bus":
                await flood_bus(app)
            else:
                BAD[what]()


anyio.run(main, sys.argv[1])
