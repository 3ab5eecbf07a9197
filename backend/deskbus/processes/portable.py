"""Processes as psutil tells them, for platforms without /proc."""

import os
import sys
import time
from collections.abc import Iterator

import psutil

from deskbus.processes.table import Identity, Row, Source


class Portable(Source):
    def rows(self) -> Iterator[Row]:
        for pid in psutil.pids():
            row = self.row(pid)
            if row is not None:
                yield row

    def row(self, pid: int) -> Row | None:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times = process.cpu_times()
                return Row(
                    Identity(pid, process.create_time()),
                    parent=process.ppid(),
                    group=_group(pid),
                    session=_session(pid),
                    cpu_s=times.user + times.system,
                    memory=process.memory_info().rss,
                    zombie=process.status() == psutil.STATUS_ZOMBIE,
                )
        except (psutil.Error, OSError):
            return None

    def clock(self) -> float:
        return time.time()

    def open_files(self, pid: int) -> int:
        try:
            process = psutil.Process(pid)
            if sys.platform == "win32":
                return process.num_handles()
            else:
                return process.num_fds()
        except psutil.Error:
            return 0


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
