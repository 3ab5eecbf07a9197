"""The watchdog: when the backend is killed, what it started is killed too."""

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.processes import is_alive
from deskbus.processes.system.process_queries import identity_of, start_clock
from deskbus.processes.system.process_tree import RUN_VARIABLE, Root
from deskbus.processes.watchdog.client import WatchdogClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

GONE_WITHIN_S = 2.0

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


def test_a_watchdog_that_was_killed_is_replaced_and_knows_every_app() -> None:
    watchdog, mark = WatchdogClient(), secrets.token_hex(8)
    began = start_clock()
    env = {**os.environ, RUN_VARIABLE: mark}
    with running(["sleep", "600"], start_new_session=True, env=env) as app:
        root = Root(identity_of(app.pid, not_before=began), mark)
        watchdog.watch(root)
        (first,) = watchdog.pids
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        watchdog.watch(root._replace(mark=f"{mark}2"))
        watchdog.watch(root)
        (second,) = watchdog.pids
        assert second != first
        watchdog.forget(root)
        watchdog.close()
        assert app.poll() is None, "an app that was forgotten is not the watchdog's"
    assert watchdog.pids == []
    assert not Path(f"/proc/{second}").exists()
