"""What processes there are: one pass over the whole machine, to be asked of on a thread.

A process that ends, becomes a zombie or is another user's is not there, or has no figures. Where
the machine can't tell, for instance because this process is out of descriptors, every look raises
`UnreadableError`: a process that nobody can see is not one that has ended.
"""

import errno
import sys
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


class Identity(NamedTuple):
    """One process for good: a pid that is used again has another `started`."""

    pid: int
    started: float


class Row(NamedTuple):
    """One process. `cpu_s` counts it and those of its children that it has waited for."""

    identity: Identity
    parent: int
    group: int
    session: int
    cpu_s: float
    memory: int
    zombie: bool


class Table(dict[int, Row]):
    """Rows by pid, with who is whose child, and in which group and session."""

    def __init__(self, rows: Iterable[Row]) -> None:
        super().__init__({row.identity.pid: row for row in rows})
        self.children: dict[int, list[int]] = {}
        self.groups: dict[int, list[int]] = {}
        self.sessions: dict[int, list[int]] = {}
        for pid, row in self.items():
            self.children.setdefault(row.parent, []).append(pid)
            self.groups.setdefault(row.group, []).append(pid)
            self.sessions.setdefault(row.session, []).append(pid)

    def has(self, identity: Identity) -> bool:
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


def processes() -> Table:
    """Every process of this machine that can be seen; raises `UnreadableError`."""
    return Table(_source().rows())


def row_of(pid: int) -> Row | None:
    """None where there is no such process; raises `UnreadableError`."""
    return _source().row(pid)


def identity_of(pid: int, *, not_before: float) -> Identity:
    """Of a process that was just started; where it has ended already, of no other process.

    Raises `UnreadableError`.
    """
    row = row_of(pid)
    return Identity(pid, not_before) if row is None else row.identity


def start_clock() -> float:
    """Now, as `Identity.started` counts."""
    return _source().clock()


def open_files(pids: Iterable[int]) -> int:
    """How many descriptors these processes hold; those that can't be seen count none.

    Raises `UnreadableError`.
    """
    return sum(map(_source().open_files, pids))


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


class Source(ABC):
    """How one platform tells of its processes; each of them raises `UnreadableError`."""

    @abstractmethod
    def rows(self) -> Iterable[Row]:
        """Every process that can be seen."""

    @abstractmethod
    def row(self, pid: int) -> Row | None: ...

    @abstractmethod
    def clock(self) -> float:
        """Now, as `Identity.started` counts."""

    @abstractmethod
    def open_files(self, pid: int) -> int: ...

    def proportional_memory(self, pid: int) -> int:
        """Bytes; 0 where not known."""
        return 0

    def environment(self, pid: int) -> bytes:
        """As the process was started with, ended by NULs; empty where not known."""
        return b""


def _source() -> Source:
    if not _chosen:
        if sys.platform == "linux":
            from deskbus.processes.procfs import ProcFs

            _chosen.append(ProcFs())
        else:
            from deskbus.processes.portable import Portable

            _chosen.append(Portable())
    return _chosen[0]


_chosen: list[Source] = []
"""psutil is imported by the first who asks, and only where there is no /proc."""
