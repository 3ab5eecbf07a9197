"""Ends a process with its group and its descendants, and nothing else.

A daemonised child, that left both its group and its parent, is not among them.
"""

import contextlib
import os
import signal

import anyio
import psutil

TERM_GRACE_S = 0.7
"""How long a process has between SIGTERM and SIGKILL; the whole backend ends within 2 s."""

POLL_S = 0.02


async def end_tree(pid: int, *, grace_s: float = TERM_GRACE_S) -> None:
    """Asks the tree to end, then kills what is left. Returns when all of it is gone.

    Members are held as (pid, start time), so a pid that was used again is not touched.
    """
    members = _members(pid)
    _signal_group(pid, signal.SIGTERM)
    for member in members:
        with contextlib.suppress(psutil.Error):
            member.terminate()
    await _wait_gone(members, grace_s)
    members = [*members, *_members(pid)]
    _signal_group(pid, signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    for member in members:
        with contextlib.suppress(psutil.Error):
            member.kill()
    await _wait_gone(members, grace_s)


def end_leftovers(pid: int) -> None:
    """Kills what a process that has ended left behind in its group.

    Goes by the group alone: the pid may belong to another process by now, the group can't.
    """
    if os.name != "nt":
        _signal_group(pid, signal.SIGKILL)


def _members(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def _signal_group(pid: int, number: signal.Signals) -> None:
    """Reaches children whose parent has gone; the group is the app's own, see `spawn`."""
    if os.name != "nt":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


async def _wait_gone(members: list[psutil.Process], limit_s: float) -> None:
    with anyio.move_on_after(limit_s):
        # Descendants aren't our children, so there is no event to wait for.
        while any(_is_alive(member) for member in members):  # noqa: ASYNC110
            await anyio.sleep(POLL_S)


def _is_alive(member: psutil.Process) -> bool:
    try:
        return member.is_running() and member.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
