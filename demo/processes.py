"""Processes of this machine, which may end, become zombies or be unreadable between two looks.

All looks of the demo and of the tests go through here, and none of them raises.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

import anyio
import psutil

POLL_S = 0.02

Process = psutil.Process

Seen = TypeVar("Seen")

NONE: list[Process] = []


def look(read: Callable[[], Seen], otherwise: Seen) -> Seen:
    """The result of `read`, or `otherwise` where the process has ended or can't be read."""
    try:
        return read()
    except (psutil.Error, OSError):
        return otherwise


def process(pid: int) -> Process | None:
    """The process that has this pid now."""
    return look(lambda: Process(pid), None)


def tree(pid: int) -> list[Process]:
    """A process and everything below it, parents first; empty where it has ended."""
    root = process(pid)
    if root is None or not runs(root):
        return []
    return [root, *descendants(root)]


def descendants(root: Process) -> list[Process]:
    """Those whose line of parents leads to `root` and that run."""
    return [each for each in look(lambda: root.children(recursive=True), NONE) if runs(each)]


def zombies(parent: Process) -> list[Process]:
    """Children that have ended and that `parent` has not waited for."""
    return [
        each
        for each in look(parent.children, NONE)
        if look(each.status, psutil.STATUS_DEAD) == psutil.STATUS_ZOMBIE
    ]


def command_of(process: Process) -> list[str]:
    """The words that it was started with; empty where they can't be read."""
    return look(process.cmdline, [])


def environment_of(process: Process) -> dict[str, str]:
    """The arguments it was started with; empty where they can't be read."""
    nothing: dict[str, str] = {}
    return look(process.environ, nothing)


def memory_of(process: Process) -> int | None:
    """Resident bytes."""
    return look(lambda: int(process.memory_info().rss), None)


def processor_of(process: Process) -> float | None:
    """Seconds of processor that it has used."""
    return look(lambda: sum(process.cpu_times()[:2]), None)


def threads_of(process: Process) -> int | None:
    """How many threads it runs."""
    return look(process.num_threads, None)


def files_of(process: Process) -> int | None:
    """How many descriptors it holds, on Windows handles."""
    if sys.platform == "win32":
        return look(lambda: int(process.num_handles()), None)
    else:
        return look(lambda: int(process.num_fds()), None)


def marked(mark: str) -> list[Process]:
    """Others that run and have `mark` in their command line or environment."""
    found = []
    for each in look(lambda: list(psutil.process_iter()), NONE):
        told = [*command_of(each), *environment_of(each).values()]
        if each.pid != os.getpid() and any(mark in word for word in told) and runs(each):
            found.append(each)
    return found


def runs(process: Process) -> bool:
    """A zombie is dead; its parent has not looked yet. What can't be read is not known to be."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):
        return True


def is_alive(pid: int) -> bool:
    """Whether a process that runs has this pid."""
    try:
        return runs(Process(pid))
    except psutil.NoSuchProcess:
        return False
    except (psutil.Error, OSError):
        return True


def kill(processes: Iterable[Process]) -> None:
    for each in processes:
        look(each.kill, None)


async def eventually(check: Callable[[], bool], within_s: float) -> bool:
    """Whether `check` comes true in time; the system tells nobody about others' processes."""
    with anyio.move_on_after(within_s):
        while True:
            if check():
                return True
            await anyio.sleep(POLL_S)
    return False


async def remains(processes: list[Process], within_s: float) -> list[str]:
    """Those of `processes` that still run after a while."""
    await eventually(lambda: not any(map(runs, processes)), within_s)
    return [str(each) for each in processes if runs(each)]
