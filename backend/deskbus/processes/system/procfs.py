"""Processes as Linux tells them: proc(5), read without a detour, for it is done every second."""

import os
import sys
import time
from collections.abc import Iterator

from deskbus.processes.system.process_table import (
    ProcessIdentity,
    ProcessRow,
    ProcessSource,
    UnreadableError,
    raise_if_starved,
)

assert sys.platform == "linux"

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

# Fields of /proc/PID/stat behind the name in brackets, see proc_pid_stat(5).
_STATE, _PARENT, _GROUP, _SESSION = 0, 1, 2, 3
_TIMES = slice(11, 15)
_STARTED, _RESIDENT = 19, 21


class ProcFs(ProcessSource):
    def rows(self) -> Iterator[ProcessRow]:
        names = _names("/proc")
        if not names:
            raise UnreadableError("Processes can't be read: there is no /proc.")
        for name in names:
            if name.isdigit():
                row = self.row(int(name))
                if row is not None:
                    yield row

    def row(self, pid: int) -> ProcessRow | None:
        text = _read(f"/proc/{pid}/stat")
        fields = text[text.rfind(b")") + 2 :].split()
        if len(fields) <= _RESIDENT:
            return None
        return ProcessRow(
            ProcessIdentity(pid, int(fields[_STARTED])),
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
        return len(_names(f"/proc/{pid}/fd"))

    def name(self, pid: int) -> str:
        return _read(f"/proc/{pid}/comm").decode(errors="replace").strip()

    def proportional_memory(self, pid: int) -> int:
        lines = _read(f"/proc/{pid}/smaps_rollup").split(b"\n")
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))

    def environment(self, pid: int) -> bytes:
        return _read(f"/proc/{pid}/environ")


def _read(path: str) -> bytes:
    """A file's content; empty where its process has ended or is another user's."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib costs, and often
            return file.read()
    except OSError as error:
        raise_if_starved(error)
        return b""


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names alone, a thousand a second
    except OSError as error:
        raise_if_starved(error)
        return []
