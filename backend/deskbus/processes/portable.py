"""Processes as psutil tells them, for platforms without /proc."""

import os
import time
from collections.abc import Iterator

import psutil

from deskbus.processes.table import WINDOWS, Identity, Row, Source


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
                    group=0 if WINDOWS else os.getpgid(pid),
                    session=0 if WINDOWS else os.getsid(pid),
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
            held = getattr(process, "num_handles" if WINDOWS else "num_fds")()
        except psutil.Error:
            return 0
        return int(held)
