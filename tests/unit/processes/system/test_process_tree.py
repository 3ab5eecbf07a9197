"""Trees of real processes: found wherever they went, and nobody else is hit."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from deskbus.processes.system.portable_processes import PortableProcesses
from deskbus.processes.system.process_queries import identity_of, processes, start_clock
from deskbus.processes.system.process_table import ProcessIdentity, ProcessTable
from deskbus.processes.system.process_tree import (
    RUN_VARIABLE,
    Root,
    end_tree,
    is_there,
    kill_tree,
    members,
    send,
)
from deskbus.processes.system.procfs import ProcFs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

MARK = secrets.token_hex(8)

FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
apart = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
)
print(child.pid, apart.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the block, whatever becomes of that."""
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def family() -> Iterator[tuple[Root, list[int]]]:
    began = start_clock()
    parent = subprocess.Popen(
        [sys.executable, "-c", FAMILY],
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, RUN_VARIABLE: MARK},
    )
    assert parent.stdout is not None
    pids = [parent.pid, *map(int, parent.stdout.readline().split())]
    root = Root(identity_of(parent.pid, not_before=began), MARK)
    yield root, pids
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    parent.wait()
    parent.stdout.close()


def test_members_are_all_that_descend_wherever_they_went(family: tuple[Root, list[int]]) -> None:
    root, pids = family
    assert {each.pid for each in members(processes(), root)} == set(pids)


def test_what_was_a_member_is_one_when_its_parent_has_gone(family: tuple[Root, list[int]]) -> None:
    root, pids = family
    known = members(processes(), root)
    os.kill(pids[0], signal.SIGKILL)
    assert kill_tree(root, known) == 0
    assert not any(is_there(each) for each in known)


async def test_a_tree_is_asked_first_and_gone_when_this_returns(
    family: tuple[Root, list[int]],
) -> None:
    root, _ = family
    known = members(processes(), root)
    assert await end_tree(root, known, grace_s=5, kill=None) == 0
    assert not any(is_there(each) for each in known)


def test_a_pid_that_is_used_again_is_not_hit() -> None:
    with running("sleep", "600") as innocent:
        now = identity_of(innocent.pid, not_before=0)
        earlier = ProcessIdentity(now.pid, now.started - 100)
        assert not send(earlier, signal.SIGKILL)
        assert kill_tree(Root(ProcessIdentity(now.pid, now.started + 100), MARK), {earlier}) == 0
        assert innocent.poll() is None
        assert send(now, signal.SIGKILL)
        assert innocent.wait() == -signal.SIGKILL
    assert not send(now, signal.SIGKILL)


def test_both_ways_of_looking_see_the_same() -> None:
    with running("sleep", "600") as child:
        ours, theirs = ProcFs().row(child.pid), PortableProcesses().row(child.pid)
        assert ours is not None
        assert theirs is not None
        assert ours[1:4] == theirs[1:4]
        assert not ours.zombie
        assert ProcFs().open_files(os.getpid()) == PortableProcesses().open_files(os.getpid()) > 3
        child.kill()
        deadline = time.monotonic() + 5
        while not (row := ProcFs().row(child.pid)) or not row.zombie:
            assert time.monotonic() < deadline
    assert ProcFs().row(child.pid) is None
    assert PortableProcesses().row(child.pid) is None


def test_a_table_holds_every_process_that_psutil_sees() -> None:
    table = processes()
    assert isinstance(table, ProcessTable)
    assert os.getpid() in table
    assert abs(len(table) - len(psutil.pids())) < 50
