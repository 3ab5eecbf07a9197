"""Questions about the processes of this machine; each blocks, so they are asked on a thread."""

import sys
from collections.abc import Iterable

from deskbus.processes.system.process_table import (
    ProcessIdentity,
    ProcessRow,
    ProcessSource,
    ProcessTable,
)


def processes() -> ProcessTable:
    """Every process of this machine that can be seen; raises `UnreadableError`."""
    return ProcessTable(_source().rows())


def row_of(pid: int) -> ProcessRow | None:
    """The process's row; None where there is no such process. Raises `UnreadableError`."""
    return _source().row(pid)


def identity_of(pid: int, *, not_before: float) -> ProcessIdentity:
    """The identity of a process that was just started, and never of another, even if it has ended
    already.

    Raises `UnreadableError`.
    """
    row = row_of(pid)
    return ProcessIdentity(pid, not_before) if row is None else row.identity


def start_clock() -> float:
    """The present time on the clock of `ProcessIdentity.started`."""
    return _source().clock()


def open_files(pids: Iterable[int]) -> int:
    """The number of descriptors that these processes hold; one that can't be read counts none.

    Raises `UnreadableError`.
    """
    return sum(map(_source().open_files, pids))


def names_of(pids: Iterable[int]) -> dict[int, str]:
    """Short names of programs; raises `UnreadableError`."""
    return {pid: _source().name(pid) for pid in pids}


def proportional_memory(pids: Iterable[int], resident: int) -> int:
    """Bytes, with what is shared counted once over all sharers; `resident` where not known.

    Raises `UnreadableError`.
    """
    return sum(map(_source().proportional_memory, pids)) or resident


def environment_has(pid: int, entry: bytes) -> bool:
    """Whether a process was started with `NAME=value` in its environment, as far as is known.

    Raises `UnreadableError`.
    """
    return entry in _source().environment(pid).split(b"\0")


def _source() -> ProcessSource:
    if not _chosen:
        if sys.platform == "linux":
            from deskbus.processes.system.procfs import ProcFs

            _chosen.append(ProcFs())
        else:
            from deskbus.processes.system.portable_processes import PortableProcesses

            _chosen.append(PortableProcesses())
    return _chosen[0]


_chosen: list[ProcessSource] = []
"""psutil is imported by the first who asks, and only where there is no /proc."""
