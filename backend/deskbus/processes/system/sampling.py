"""Sampling of each app's usage, from one look at all processes; blocks, so it runs on a thread."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from deskbus.processes.system.process_queries import open_files, processes, proportional_memory
from deskbus.processes.system.process_table import ProcessIdentity, ProcessRow, ProcessTable
from deskbus.processes.system.process_tree import Root, members


class Subject(NamedTuple):
    """The subject of a measurement. `renderers` are pids of processes that draw the app's windows.

    Where resident memory is beyond `memory_limit`, what is shared is counted by shares.
    """

    app: str
    root: Root | None
    known: frozenset[ProcessIdentity]
    renderers: tuple[int, ...]
    count_files: bool
    memory_limit: int | None


class Measured(NamedTuple):
    """`cpu_s` only grows while nobody of the tree leaves it."""

    members: set[ProcessIdentity]
    cpu_s: float
    memory: int
    processes: int
    open_files: int


class Survey(NamedTuple):
    """`orphans` are children that we were given by the OS, and that belong to no app."""

    apps: dict[str, Measured]
    orphans: list[ProcessRow]


def survey(subjects: Iterable[Subject], ours: frozenset[int]) -> Survey:
    """`ours` are pids of children that we started for ourselves. Raises `UnreadableError`."""
    table = processes()
    subjects = list(subjects)
    apps = {subject.app: _measure(table, subject) for subject in subjects}
    claimed = {member.pid for measured in apps.values() for member in measured.members}
    claimed |= {subject.root.identity.pid for subject in subjects if subject.root}
    return Survey(apps, _orphans(table, claimed | ours))


def _measure(table: ProcessTable, subject: Subject) -> Measured:
    found = set() if subject.root is None else members(table, subject.root, subject.known)
    pids = {member.pid for member in found}
    pids |= {pid for pid in subject.renderers if pid in table and not table[pid].zombie}
    memory = sum(table[pid].memory for pid in pids)
    if subject.memory_limit is not None and memory > subject.memory_limit:
        memory = proportional_memory(pids, memory)
    return Measured(
        members=found,
        cpu_s=sum(table[pid].cpu_s for pid in pids),
        memory=memory,
        processes=len(pids),
        open_files=open_files(pids) if subject.count_files else 0,
    )


def _orphans(table: ProcessTable, claimed: set[int]) -> list[ProcessRow]:
    """Orphans that apps left behind; a process that one of our libraries runs is in our own
    session.
    """
    me = os.getpid()
    session = table[me].session if me in table else 0
    return [
        table[pid]
        for pid in table.children.get(me, ())
        if pid not in claimed and table[pid].session != session
    ]
