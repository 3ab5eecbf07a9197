"""Processes that hold files of a folder, which an update could then not replace."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from deskbus_protocol.apps import MAX_HOLDERS, FileHolder

MAX_NAME_CHARACTERS = 128

_SKIPPED = (psutil.NoSuchProcess, psutil.ZombieProcess, FileNotFoundError, ProcessLookupError)


class HeldFiles(NamedTuple):
    """`holders` are `MAX_HOLDERS` at most; `unreadable` counts processes that may hold some, too.

    Those are other users', or the system does not let us look.
    """

    holders: list[FileHolder]
    unreadable: int


def find_holders(folder: Path, but: Collection[int]) -> HeldFiles:
    """Looks at every process but those; a program, working folder, open or mapped file counts.

    Blocks for seconds on a machine with many processes, so it is asked on a thread.
    """
    root = folder.resolve()
    holders: list[FileHolder] = []
    unreadable = 0
    for each in psutil.process_iter():
        if each.pid in but:
            continue
        try:
            held = next((path for path in _files(each) if Path(path).is_relative_to(root)), None)
            if held is not None and len(holders) < MAX_HOLDERS:
                holders.append(FileHolder(pid=each.pid, name=_name(each), path=held))
        except _SKIPPED:
            continue
        except (psutil.AccessDenied, PermissionError):
            unreadable += 1
    return HeldFiles(holders, unreadable)


def descendants_of(pid: int, but: Collection[int]) -> list[FileHolder]:
    """Everything that was started below a process and is there still, with its program as path."""
    found = []
    with suppress(*_SKIPPED):
        for each in psutil.Process(pid).children(recursive=True):
            with suppress(*_SKIPPED, psutil.AccessDenied):
                if each.pid not in but and each.status() != psutil.STATUS_ZOMBIE:
                    found.append(FileHolder(pid=each.pid, name=_name(each), path=each.exe()))
    return found[:MAX_HOLDERS]


def _name(process: psutil.Process) -> str:
    """The name in the system's own list."""
    return str(process.name())[:MAX_NAME_CHARACTERS]


def _files(process: psutil.Process) -> Iterator[str]:
    """Paths of the files that a process holds, the cheapest to find first."""
    yield process.exe()
    yield process.cwd()
    for opened in process.open_files():
        yield opened.path
    # Not on macOS, where neither this nor anything else tells what is mapped.
    if hasattr(process, "memory_maps"):
        for mapped in process.memory_maps(grouped=True):
            yield mapped.path
