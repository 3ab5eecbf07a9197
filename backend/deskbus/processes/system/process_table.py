"""The table of processes: one pass over the whole machine, to be made on a thread.

A process that ends, becomes a zombie or is another user's is not there, or has no figures. Where
the machine can't tell, for instance because this process is out of descriptors, every look raises
`UnreadableError`: a process that nobody can see is not one that has ended.
"""

import errno
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple


class UnreadableError(Exception):
    """Processes can't be looked at now; the message says why. The same look may work later."""


_STARVED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.EINTR}


def raise_if_starved(error: OSError) -> None:
    """Raises `UnreadableError` where `error` is about us, not about the process looked at."""
    if error.errno in _STARVED:
        raise UnreadableError(f"Processes can't be read: {error.strerror}.") from None


class ProcessIdentity(NamedTuple):
    """One process for good: a pid that is used again has another `started`."""

    pid: int
    started: float


class ProcessRow(NamedTuple):
    """One process. `cpu_s` counts it and those of its children that it has waited for."""

    identity: ProcessIdentity
    parent: int
    group: int
    session: int
    cpu_s: float
    memory: int
    zombie: bool


class ProcessTable(dict[int, ProcessRow]):
    """Rows by pid, with who is whose child, and in which group and session."""

    def __init__(self, rows: Iterable[ProcessRow]) -> None:
        super().__init__({row.identity.pid: row for row in rows})
        self.children: dict[int, list[int]] = {}
        self.groups: dict[int, list[int]] = {}
        self.sessions: dict[int, list[int]] = {}
        for pid, row in self.items():
            self.children.setdefault(row.parent, []).append(pid)
            self.groups.setdefault(row.group, []).append(pid)
            self.sessions.setdefault(row.session, []).append(pid)

    def has(self, identity: ProcessIdentity) -> bool:
        row = self.get(identity.pid)
        return row is not None and row.identity == identity

    def descendants(self, roots: Iterable[int]) -> set[int]:
        """Pids of the roots that are there, and of all below them."""
        found: set[int] = set()
        search = [pid for pid in roots if pid in self]
        while search:
            pid = search.pop()
            if pid not in found:
                found.add(pid)
                search += self.children.get(pid, ())
        return found


class ProcessSource(ABC):
    """One platform's view of its processes; each method raises `UnreadableError`."""

    @abstractmethod
    def rows(self) -> Iterable[ProcessRow]:
        """Every process that can be seen."""

    @abstractmethod
    def row(self, pid: int) -> ProcessRow | None: ...

    @abstractmethod
    def clock(self) -> float:
        """Now, as `ProcessIdentity.started` counts."""

    @abstractmethod
    def open_files(self, pid: int) -> int: ...

    @abstractmethod
    def name(self, pid: int) -> str:
        """The program's short name; empty where it has ended."""

    def proportional_memory(self, pid: int) -> int:
        """Bytes; 0 where not known."""
        return 0

    def environment(self, pid: int) -> bytes:
        """As the process was started with, ended by NULs; empty where not known."""
        return b""
