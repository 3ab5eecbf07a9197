"""Processes as psutil tells them, for platforms without /proc."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psutil

from deskbus.processes.system.process_table import (
    ProcessIdentity,
    ProcessRow,
    ProcessSource,
    raise_if_starved,
)

Seen = TypeVar("Seen")
NONE: list[int] = []


class PortableProcesses(ProcessSource):
    def rows(self) -> Iterator[ProcessRow]:
        for pid in _seen(psutil.pids, NONE):
            row = self.row(pid)
            if row is not None:
                yield row

    def row(self, pid: int) -> ProcessRow | None:
        def read() -> ProcessRow:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                return ProcessRow(
                    ProcessIdentity(pid, process.create_time()),
                    parent=process.ppid(),
                    group=_group(pid),
                    session=_session(pid),
                    cpu_s=times.user + times.system,
                    memory=process.memory_info().rss,
                    zombie=process.status() == psutil.STATUS_ZOMBIE,
                )

        return _seen(read, None)

    def clock(self) -> float:
        return time.time()

    def name(self, pid: int) -> str:
        return _seen(lambda: psutil.Process(pid).name(), "")

    def open_files(self, pid: int) -> int:
        return _seen(lambda: _files(pid), 0)


def _seen(read: Callable[[], Seen], otherwise: Seen) -> Seen:
    """`otherwise` where the process has ended, is a zombie or is another user's."""
    try:
        return read()
    except psutil.Error:
        return otherwise
    except OSError as error:
        raise_if_starved(error)
        return otherwise


def _files(pid: int) -> int:
    process = psutil.Process(pid)
    if sys.platform == "win32":
        return process.num_handles()
    else:
        return process.num_fds()


def _group(pid: int) -> int:
    """0, which is no group, where the system has none."""
    if sys.platform == "win32":
        return 0
    else:
        return os.getpgid(pid)


def _session(pid: int) -> int:
    if sys.platform == "win32":
        return 0
    else:
        return os.getsid(pid)
