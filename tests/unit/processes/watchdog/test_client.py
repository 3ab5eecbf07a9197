"""The watchdog: when the backend is killed, what it started is killed too."""

import errno
import os
import resource
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from demo.processes import is_alive
from deskbus.processes.system.process_queries import identity_of, start_clock
from deskbus.processes.system.process_tree import RUN_VARIABLE, Root
from deskbus.processes.watchdog.client import WatchdogClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

GONE_WITHIN_S = 2.0
READY_WITHIN_S = 10.0
SCARCE = {resource.RLIMIT_NOFILE: 256, resource.RLIMIT_FSIZE: 4096, resource.RLIMIT_AS: 2**40}

BACKEND = """
import os, subprocess, sys, time
from demo.processes import is_alive
from deskbus.processes.system.process_queries import identity_of, start_clock
from deskbus.processes.system.process_tree import Root
from deskbus.processes.watchdog.client import WatchdogClient
began = start_clock()
app = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]], start_new_session=True, stdout=subprocess.PIPE,
    env={**os.environ, "DESKBUS_RUN": sys.argv[2]},
)
watchdog = WatchdogClient()
watchdog.watch(Root(identity_of(app.pid, not_before=began), sys.argv[2]))
print(app.pid, *watchdog.pids, app.stdout.readline().decode().strip(), flush=True)
time.sleep(600)
"""

DAEMON = """
import os, subprocess, sys, time
if os.fork() == 0:
    os.setsid()
    hidden = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                              start_new_session=True)
    print(os.getpid(), hidden.pid, flush=True)
    time.sleep(600)
time.sleep(600)
"""


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is killed at the end of the block, whatever becomes of that."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.serial
@pytest.mark.requirement("4.5")
def test_nothing_outlives_a_backend_that_is_killed_daemons_neither() -> None:
    words = [sys.executable, "-c", BACKEND, DAEMON, secrets.token_hex(8)]
    with running(words, stdout=subprocess.PIPE) as backend:
        assert backend.stdout is not None
        pids = [int(word) for word in backend.stdout.readline().split()]
        assert len(pids) == 4
        assert all(map(is_alive, pids))
    deadline = time.monotonic() + GONE_WITHIN_S
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, [pid for pid in pids if is_alive(pid)]


@contextmanager
def watched_app() -> Iterator[tuple[WatchdogClient, Root]]:
    """An app in a session of its own, and a watchdog that knows it."""
    watchdog, mark = WatchdogClient(), secrets.token_hex(8)
    began = start_clock()
    env = {**os.environ, RUN_VARIABLE: mark}
    with running(["sleep", "600"], start_new_session=True, env=env) as app:
        root = Root(identity_of(app.pid, not_before=began), mark)
        watchdog.watch(root)
        try:
            yield watchdog, root
        finally:
            watchdog.forget(root)
            watchdog.close()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_a_watchdog_that_was_killed_is_replaced_and_knows_every_app() -> None:
    with watched_app() as (watchdog, root):
        (first,) = watchdog.pids
        kill(first)
        watchdog.watch(root._replace(mark=f"{root.mark}2"))
        watchdog.watch(root)
        (second,) = watchdog.pids
        assert second != first
        watchdog.forget(root)
        watchdog.close()
        assert is_alive(root.identity.pid), "an app that was forgotten is not the watchdog's"
        assert watchdog.pids == []
        assert not Path(f"/proc/{second}").exists()


@pytest.fixture
def short_of_everything() -> Iterator[None]:
    """Soft limits as a backend has them that is short of descriptors, of room and of memory."""
    before = {limit: resource.getrlimit(limit) for limit in SCARCE}
    try:
        for limit, soft in SCARCE.items():
            resource.setrlimit(limit, (soft, before[limit][1]))
        yield
    finally:
        for limit, limits in before.items():
            resource.setrlimit(limit, limits)


def test_a_watchdog_that_ended_is_replaced_before_anything_is_to_be_told() -> None:
    with watched_app() as (watchdog, _):
        (first,) = watchdog.pids
        watchdog.ensure()
        assert watchdog.pids == [first]
        kill(first)
        watchdog.ensure()
        assert watchdog.pids not in ([], [first])


def test_a_watchdog_is_replaced_when_it_is_to_forget_one_app_of_several() -> None:
    with watched_app() as (watchdog, root):
        other = root._replace(identity=root.identity._replace(pid=2**22))
        watchdog.watch(other)
        (first,) = watchdog.pids
        kill(first)
        watchdog.forget(other)
        assert watchdog.pids not in ([], [first])


def test_a_watchdog_that_could_not_be_started_is_started_when_it_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(subprocess.Popen, "_execute_child", refuse)
        kept = WatchdogClient()
        root = Root(identity_of(os.getpid(), not_before=0), "mark")
        kept.watch(root)
        kept.ensure()
        assert kept.pids == []
    kept.ensure()
    assert len(kept.pids) == 1
    kept.forget(root)
    kept.close()


@pytest.mark.usefixtures("short_of_everything")
def test_a_watchdog_that_starts_while_the_backend_is_short_is_not_short_itself() -> None:
    with watched_app() as (watchdog, _):
        (pid,) = watchdog.pids
        deadline = time.monotonic() + READY_WITHIN_S
        while any(soft != hard for soft, hard in map(partial(resource.prlimit, pid), SCARCE)):
            assert time.monotonic() < deadline
