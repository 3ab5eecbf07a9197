"""Processes as Linux tells them: proc(5), read without a detour, for it is done every second."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from deskbus.processes.table import Identity, Row, Source

assert sys.platform == "linux"

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

# Fields of /proc/PID/stat behind the name in brackets, see proc_pid_stat(5).
_STATE, _PARENT, _GROUP, _SESSION = 0, 1, 2, 3
_TIMES = slice(11, 15)
_STARTED, _RESIDENT = 19, 21


class ProcFs(Source):
    def rows(self) -> Iterator[Row]:
        for name in os.listdir("/proc"):  # noqa: PTH208 - names alone, a thousand a second
            if name.isdigit():
                row = self.row(int(name))
                if row is not None:
                    yield row

    def row(self, pid: int) -> Row | None:
        try:
            with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:  # noqa: PTH123 - as above
                text = file.read(4096)
        except OSError:
            return None
        fields = text[text.rfind(b")") + 2 :].split()
        if len(fields) <= _RESIDENT:
            return None
        return Row(
            Identity(pid, int(fields[_STARTED])),
            parent=int(fields[_PARENT]),
            group=int(fields[_GROUP]),
            session=int(fields[_SESSION]),
            cpu_s=sum(map(int, fields[_TIMES])) / TICKS_PER_S,
            memory=int(fields[_RESIDENT]) * PAGE_BYTES,
            zombie=fields[_STATE] in (b"Z", b"X"),
        )

    def clock(self) -> float:
        return int(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS_PER_S)

    def open_files(self, pid: int) -> int:
        try:
            return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            return 0

    def proportional_memory(self, pid: int) -> int:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().split(b"\n")
        except OSError:
            return 0
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))

    def environment(self, pid: int) -> bytes:
        try:
            return Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return b""
