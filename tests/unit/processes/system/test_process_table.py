"""Processes that can't be looked at are not taken for ended, and nobody's end follows from it."""

import errno
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from deskbus.processes.system import process_tree
from deskbus.processes.system.portable_processes import PortableProcesses
from deskbus.processes.system.process_queries import identity_of
from deskbus.processes.system.process_table import ProcessIdentity, ProcessSource, UnreadableError
from deskbus.processes.system.process_tree import Root, is_there, kill_tree, send
from deskbus.processes.system.procfs import ProcFs
from deskbus.processes.system.sampling import Subject, survey

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

STARVED = [errno.EMFILE, errno.ENFILE, errno.ENOMEM]
LOOKS: dict[str, Callable[[ProcessSource, int], object]] = {
    "rows": lambda source, _: list(source.rows()),
    "row": lambda source, pid: source.row(pid),
    "open_files": lambda source, pid: source.open_files(pid),
    "name": lambda source, pid: source.name(pid),
    "proportional_memory": lambda source, pid: source.proportional_memory(pid),
    "environment": lambda source, pid: source.environment(pid),
}
NOT_READ = {"clock"}


def named(value: object) -> str:
    return value if isinstance(value, str) else type(value).__name__


TRIED = [
    (source, look)
    for source in (ProcFs(), PortableProcesses())
    for look in LOOKS
    if getattr(type(source), look) is not getattr(ProcessSource, look)
]


@pytest.fixture
def child() -> Iterator[ProcessIdentity]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as started:
        yield identity_of(started.pid, not_before=0)
        started.kill()


@pytest.fixture(params=STARVED, ids=errno.errorcode.get)
def starved(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is out of descriptors, or the machine is out of memory."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr("builtins.open", fail)
    for module, name in (
        (os, "listdir"),
        (os, "pidfd_open"),
        (psutil, "Process"),
        (psutil, "pids"),
    ):
        monkeypatch.setattr(module, name, fail)


def test_every_look_of_a_source_is_tried_here() -> None:
    public = {name for name in vars(ProcessSource) if not name.startswith("_")}
    assert public - NOT_READ == set(LOOKS)


@pytest.mark.parametrize(("source", "look"), TRIED, ids=named)
def test_a_look_without_a_descriptor_is_no_answer(
    child: ProcessIdentity, starved: None, source: ProcessSource, look: str
) -> None:
    with pytest.raises(UnreadableError, match="can't be read"):
        LOOKS[look](source, child.pid)


@pytest.mark.parametrize("source", [ProcFs(), PortableProcesses()], ids=named)
@pytest.mark.parametrize(
    "error",
    [psutil.NoSuchProcess(1), psutil.ZombieProcess(1), psutil.AccessDenied(1)]
    + [
        OSError(number, os.strerror(number)) for number in (errno.ESRCH, errno.ENOENT, errno.EACCES)
    ],
    ids=named,
)
@pytest.mark.parametrize("look", sorted(LOOKS.keys() - {"rows"}))
def test_a_process_that_ends_while_it_is_looked_at_has_no_figures(
    monkeypatch: pytest.MonkeyPatch, source: ProcessSource, error: Exception, look: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    if isinstance(error, OSError):
        monkeypatch.setattr("builtins.open", fail)
        monkeypatch.setattr(os, "listdir", fail)
    monkeypatch.setattr(psutil, "Process", fail)
    if isinstance(source, PortableProcesses) or isinstance(error, OSError):
        assert not LOOKS[look](source, os.getpid())


@pytest.mark.requirement("4.5")
def test_whom_nobody_can_see_has_not_ended(
    child: ProcessIdentity, starved: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_tree, "KILL_LIMIT_S", 0.05)
    root = Root(child, secrets.token_hex(8))
    assert is_there(child)
    assert kill_tree(root, set()) == 1
    with pytest.raises(UnreadableError):
        send(child, signal.SIGKILL)
    with pytest.raises(UnreadableError):
        survey([Subject("desk.feed", root, frozenset(), (), False, None)], frozenset())
