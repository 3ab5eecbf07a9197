"""Starts an app's process: own session and process group, nothing of ours inherited."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import anyio
from anyio.abc import Process

from deskbus_protocol.client import APP_VARIABLE, PIPE_VARIABLE, TICKET_FD_VARIABLE

INHERITED_VARIABLES = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SYSTEMROOT",
    "TEMP",
)
"""All that an app's process sees of our environment: no loader and no interpreter settings."""


class Program(NamedTuple):
    """What to run; `command[0]` is looked up on PATH."""

    command: tuple[str, ...]
    cwd: Path
    env: dict[str, str]


class Badge(NamedTuple):
    """With what a process shows who it is: the ticket goes over a descriptor of its own."""

    app: str
    pipe: str
    ticket: str


async def spawn(program: Program, badge: Badge, log_file: Path) -> Process:
    """Raises `OSError` where the program can't be started."""
    reading, writing = os.pipe()
    try:
        os.write(writing, badge.ticket.encode())
        os.close(writing)
        env = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
        env |= program.env
        env |= {
            APP_VARIABLE: badge.app,
            PIPE_VARIABLE: badge.pipe,
            TICKET_FD_VARIABLE: str(reading),
        }
        log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log_file.open("ab", buffering=0) as output:
            return await anyio.open_process(
                list(program.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=program.cwd,
                env=env,
                start_new_session=True,
                pass_fds=(reading,) if os.name != "nt" else (),
            )
    finally:
        os.close(reading)
