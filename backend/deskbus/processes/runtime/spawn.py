"""Starts an app's process: own session and process group, nothing of ours inherited."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import anyio
from anyio.abc import Process

from deskbus.processes.runtime.environment import app_environment
from deskbus.processes.system.process_tree import RUN_VARIABLE
from deskbus_protocol.appenv import (
    APP_VARIABLE,
    LIFE_FD_VARIABLE,
    PIPE_VARIABLE,
    TICKET_FD_VARIABLE,
)
from deskbus_protocol.manifest import ProgramKind

LAUNCHER = Path(__file__).with_name("launcher.py")


class Program(NamedTuple):
    """The program to run: `entry` by the runner that `kind` names, or itself, looked up on PATH.

    `administered` says that the manifest is the configuration's own: only such a one may name
    secrets, and its variables are held to less.
    """

    kind: ProgramKind
    entry: str
    args: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    administered: bool = False

    def command(self, electron: str | None) -> list[str]:
        """`electron` is Electron's own binary, which is a Node too; without one, Node is."""
        # Without the user's site-packages (-s), in which anybody may plant code, and leaving no
        # compiled files (-B) among those by which an app is known.
        runners = {"python": [sys.executable, "-s", "-B"], "node": [electron or "node"]}
        return [*runners.get(self.kind, ()), self.entry, *self.args]

    def environment(self, badge: "Badge", electron: str | None) -> dict[str, str]:
        """The whole of it, but for the descriptors."""
        env = app_environment(self.env, administered=self.administered) | {
            APP_VARIABLE: badge.app,
            PIPE_VARIABLE: badge.pipe,
            RUN_VARIABLE: badge.mark,
        }
        return env | ({"ELECTRON_RUN_AS_NODE": "1"} if self.kind == "node" and electron else {})


class Badge(NamedTuple):
    """With what a process shows who it is: the ticket goes over a descriptor of its own."""

    app: str
    pipe: str
    ticket: str
    mark: str


class Confinement(NamedTuple):
    """The confinement of a process before its program runs.

    `entrance` is the resource group's, see `ResourceGroup`; `open_files` 0 leaves that limit as it
    is; `electron` is Electron's binary, where there is a shell.
    """

    entrance: str
    open_files: int
    life_fd: int
    electron: str | None


async def spawn(program: Program, badge: Badge, confinement: Confinement) -> Process:
    """Returns when the program runs, its output to be read from `stdout`. Raises `OSError`."""
    ticket = _handed_over(badge.ticket)
    try:
        if sys.platform == "win32":
            return await _open_with_ticket_as_input(program, badge, ticket, confinement)
        else:
            return await _launch(program, badge, ticket, confinement)
    finally:
        os.close(ticket)


async def _open_with_ticket_as_input(
    program: Program, badge: Badge, ticket: int, confinement: Confinement
) -> Process:
    """Windows hands over no descriptors but the standard ones; its job ends the app with us."""
    return await anyio.open_process(
        program.command(confinement.electron),
        stdin=ticket,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=program.cwd,
        env=program.environment(badge, confinement.electron) | {TICKET_FD_VARIABLE: "0"},
    )


async def _open(
    program: Program,
    badge: Badge,
    command: list[str],
    descriptors: list[int],
    confinement: Confinement,
) -> Process:
    env = program.environment(badge, confinement.electron) | {
        TICKET_FD_VARIABLE: str(descriptors[0]),
        LIFE_FD_VARIABLE: str(confinement.life_fd),
    }
    return await anyio.open_process(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=program.cwd,
        env=env,
        start_new_session=True,
        pass_fds=(*descriptors, confinement.life_fd),
    )


def _handed_over(ticket: str) -> int:
    """A descriptor from which the ticket can be read, once."""
    reading, writing = os.pipe()
    try:
        os.write(writing, ticket.encode())
    finally:
        os.close(writing)
    return reading


if sys.platform != "win32":

    async def _launch(
        program: Program, badge: Badge, ticket: int, confinement: Confinement
    ) -> Process:
        """Starts a program through the launcher; returns once the launcher has executed it."""
        status, writing = os.pipe()
        try:
            command = [
                *(sys.executable, "-I", "-S", str(LAUNCHER)),
                *(str(writing), str(os.getpid())),
                *(str(confinement.open_files), confinement.entrance),
                *program.command(confinement.electron),
            ]
            process = await _open(program, badge, command, [ticket, writing], confinement)
        finally:
            os.close(writing)
        await _await_start(status, process)
        return process

    async def _await_start(status: int, process: Process) -> None:
        """Returns once the launcher has made way for the program; raises its `OSError`."""
        try:
            os.set_blocking(status, False)
            await anyio.wait_readable(status)
            failure = os.read(status, 16)
        finally:
            os.close(status)
        if failure:
            await process.wait()
            if process.stdout is not None:
                await process.stdout.aclose()
            number = int(failure)
            raise OSError(number, os.strerror(number))
