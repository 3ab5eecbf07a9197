"""Processes that end, become zombies or can't be read are a matter of course."""

import ast
import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from demo import processes
from demo.processes import Process

ROOT = Path(__file__).resolve().parents[3]
READERS = {
    "demo/processes.py",
    "backend/deskbus/processes/system/file_holders.py",
    "backend/deskbus/processes/system/portable_processes.py",
    "backend/deskbus/observability/port_holder.py",
    # They tell of themselves, or compare with what psutil sees.
    "demo/chaos/chaos.py",
    "tests/unit/demo/test_processes.py",
    "tests/unit/processes/system/test_process_tree.py",
    "tests/unit/processes/system/test_process_table.py",
}

FAULTS = [
    psutil.ZombieProcess(1),
    psutil.NoSuchProcess(1),
    psutil.AccessDenied(1),
    OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
]
OF_ONE: list[tuple[Callable[[Process], object], object]] = [
    (processes.descendants, []),
    (processes.zombies, []),
    (processes.command_of, []),
    (processes.environment_of, {}),
    (processes.memory_of, None),
    (processes.processor_of, None),
    (processes.files_of, None),
    (processes.threads_of, None),
    (lambda process: processes.kill([process]), None),
]


@pytest.fixture
def child() -> Iterator[Process]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as started:
        yield Process(started.pid)
        started.kill()


@pytest.fixture(params=FAULTS, ids=lambda fault: type(fault).__name__)
def fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Exception:
    """Raised by whatever psutil is asked about a process."""
    raised: Exception = request.param

    def fail(*_: object, **__: object) -> None:
        raise raised

    looks = (
        "children",
        "cmdline",
        "cpu_times",
        "environ",
        "is_running",
        "memory_info",
        "num_fds",
        "num_threads",
    )
    for name in (*looks, "kill", "status"):
        monkeypatch.setattr(Process, name, fail)
    return raised


@pytest.mark.parametrize(("ask", "answer"), OF_ONE)
def test_a_look_at_a_process_that_can_t_be_read_has_an_answer(
    child: Process, fault: Exception, ask: Callable[[Process], object], answer: object
) -> None:
    assert ask(child) == answer


def test_every_look_is_tried_with_every_fault() -> None:
    tree = ast.parse((ROOT / "demo/processes.py").read_text())
    public = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    tried = {"kill", *(ask.__name__ for ask, _ in OF_ONE)} - {"<lambda>"}
    assert public - tried == {"look", "process", "tree", "marked", "runs", "is_alive"}


def test_only_a_process_that_is_known_to_have_ended_is_gone(
    child: Process, fault: Exception
) -> None:
    ended = isinstance(fault, psutil.NoSuchProcess)
    assert processes.runs(child) is not ended
    assert processes.is_alive(child.pid) is not ended
    assert processes.tree(child.pid) == ([] if ended else [child])
    assert processes.marked("no process has this") == []


def test_a_zombie_has_ended_and_is_told_as_one() -> None:
    with subprocess.Popen(["true"]) as started:
        child = Process(started.pid)
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
        assert not processes.runs(child)
        assert processes.tree(started.pid) == []
        assert processes.zombies(Process()) == [child]
    assert processes.process(started.pid) is None


def test_psutil_is_asked_where_its_errors_are_expected_only() -> None:
    """Otherwise the next helper forgets that a process can end between two looks."""
    askers = {
        str(path.relative_to(ROOT))
        for part in ("backend", "demo", "tests", "protocol")
        for path in (ROOT / part).rglob("*.py")
        if any("psutil" in name for name in _imports(path))
    }
    assert askers <= READERS


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
