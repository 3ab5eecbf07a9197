"""An app's processes: found, and ended to the last one; nobody else's are touched.

Members are the process group and session of the app's own process, all that descends from it, and
what has been seen among them before. As a subreaper the backend becomes the parent of what leaves
its own; such an orphan is known by the mark in its environment.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import anyio
import anyio.to_thread

from deskbus.processes.system.process_queries import environment_has, processes, row_of
from deskbus.processes.system.process_table import (
    ProcessIdentity,
    ProcessTable,
    UnreadableError,
    raise_if_starved,
)

RUN_VARIABLE = "DESKBUS_RUN"
"""The mark: a random name of one run of one app, in the environment of its processes."""

KILL_LIMIT_S = 2.0
"""How long a tree is killed again and again; what then still forks is told."""

POLL_S = 0.02

_PR_SET_CHILD_SUBREAPER = 36
if sys.platform == "win32":
    # Windows ends a process at once by any signal but Ctrl-C and Ctrl-Break.
    KILL = signal.SIGTERM
    _FATAL = (KILL,)
else:
    KILL = signal.SIGKILL
    _FATAL = (signal.SIGSTOP, KILL)


class Root(NamedTuple):
    """The app's own process, and the mark of this run of it."""

    identity: ProcessIdentity
    mark: str

    @property
    def mark_entry(self) -> str:
        """As it stands in an environment."""
        return f"{RUN_VARIABLE}={self.mark}"


def become_subreaper() -> None:
    """Makes this process the parent of every descendant that loses its own (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def members(
    table: ProcessTable, root: Root, known: Iterable[ProcessIdentity] = ()
) -> set[ProcessIdentity]:
    """The app's members in `table`, without zombies. `known` were members before.

    Raises `UnreadableError`.
    """
    pid, started = root.identity
    if pid <= 1:
        # No app's: a shell said so, or nobody did. Group 0 is everybody's of another namespace.
        return set()
    seeds = {each.pid for each in known if table.has(each)}
    if table.has(root.identity):
        seeds.add(pid)
    together = (*table.groups.get(pid, ()), *table.sessions.get(pid, ()))
    seeds |= {each for each in together if table[each].identity.started >= started}
    entry = root.mark_entry.encode()
    for each in table.children.get(os.getpid(), ()):
        row = table[each]
        if not row.zombie and row.identity.started >= started and environment_has(each, entry):
            seeds.add(each)
    return {table[each].identity for each in table.descendants(seeds) if not table[each].zombie}


def send(target: ProcessIdentity, number: int) -> bool:
    """Signals exactly this process, never one that has its pid now. Whether it was there.

    Raises `UnreadableError`, and has signalled nobody then.
    """
    try:
        if sys.platform != "linux":
            return _signal(target, partial(os.kill, target.pid), number)
        else:
            handle = os.pidfd_open(target.pid)
            try:
                # Held by the handle, the pid can't change hands between the look and the signal.
                return _signal(target, partial(signal.pidfd_send_signal, handle), number)
            finally:
                os.close(handle)
    except OSError as error:
        raise_if_starved(error)
        return False


def _signal(target: ProcessIdentity, deliver: Callable[[int], None], number: int) -> bool:
    row = row_of(target.pid)
    if row is None or row.identity != target:
        return False
    deliver(number)
    return True


def ask_to_end(root: Root) -> None:
    """SIGTERM for the app's own process alone: it knows best how its children end."""
    with suppress(UnreadableError):  # it is killed later
        send(root.identity, signal.SIGTERM)


async def end_tree(
    root: Root,
    known: Iterable[ProcessIdentity],
    *,
    grace_s: float,
    kill: Callable[[], None] | None,
) -> int:
    """Asks the app to end, kills what is left after `grace_s`, and returns when all are gone.

    `kill` is the resource group's own means, which spares the search. Returns how many could not be
    killed.
    """
    known = set(known)
    if grace_s > 0:
        ask_to_end(root)
        with anyio.move_on_after(grace_s):
            # Descendants aren't our children, so there is no event to wait for.
            while is_there(root.identity):  # noqa: ASYNC110
                await anyio.sleep(POLL_S)
    return await anyio.to_thread.run_sync(kill_tree, root, known, kill)


def kill_tree(
    root: Root, known: set[ProcessIdentity], kill: Callable[[], None] | None = None
) -> int:
    """Kills every member until none is found; blocks. Returns how many are left.

    A process group dies in one stroke, so a fork bomb can't outrun it; members outside of it are
    stopped before any is killed, so that none of them forks while the next is found.
    """
    deadline = time.monotonic() + KILL_LIMIT_S
    pause_s = 0.001
    while True:
        if kill is not None:
            kill()
        try:
            left = _kill_members(root, known)
        except UnreadableError:
            left = len(known | {root.identity})  # nobody is known to have gone
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, POLL_S)


def _kill_members(root: Root, known: set[ProcessIdentity]) -> int:
    """Kills the members found in one round, and adds them to `known`. Returns how many it found;
    raises `UnreadableError`.
    """
    table = processes()
    left = members(table, root, known)
    known |= left
    if left:
        _kill_group(table, root)
        for number in _FATAL:
            for each in left:
                send(each, number)
    return len(left)


def is_there(target: ProcessIdentity) -> bool:
    """Whether it runs, or can't be seen now."""
    try:
        row = row_of(target.pid)
    except UnreadableError:
        return True
    return row is not None and row.identity == target and not row.zombie


def _kill_group(table: ProcessTable, root: Root) -> None:
    """Kills the process group, unless a member older than its leader shows that it is not the
    app's.
    """
    if sys.platform != "win32":
        pid, started = root.identity
        in_group = [table[each] for each in table.groups.get(pid, ())]
        if in_group and all(row.identity.started >= started for row in in_group):
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                return
