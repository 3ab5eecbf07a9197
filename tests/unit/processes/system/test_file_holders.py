"""Holders of files in a folder that an update replaces."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deskbus.processes.system.file_holders import descendants_of, find_holders

OPEN = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
MAP = (
    "import mmap, os, sys; number = os.open(sys.argv[1], os.O_RDONLY);"
    "mapped = mmap.mmap(number, 0, prot=mmap.PROT_READ); os.close(number);"
    "print(flush=True); sys.stdin.read()"
)
WAIT = "import sys; print(flush=True); sys.stdin.read()"


@contextmanager
def running(*command: str, cwd: Path | None = None) -> Iterator[int]:
    """The pid of a program that has said that it is ready, and ends with the block."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "library.so").write_bytes(b"library")
    return folder


@pytest.mark.parametrize("how", ["open", "mapped", "working folder"])
def test_a_process_is_found_by_what_it_holds(folder: Path, how: str) -> None:
    program = {"open": OPEN, "mapped": MAP, "working folder": WAIT}[how]
    cwd = folder if how == "working folder" else None
    with running(sys.executable, "-c", program, str(folder / "library.so"), cwd=cwd) as pid:
        (holder,) = find_holders(folder, ()).holders
        assert find_holders(folder, (pid,)).holders == []
    assert holder.pid == pid
    assert holder.name.startswith("python")
    assert Path(holder.path) == (folder if how == "working folder" else folder / "library.so")
    assert find_holders(folder, ()).holders == []


def test_a_program_of_the_folder_is_found_also_through_a_link(folder: Path, tmp_path: Path) -> None:
    sleep = shutil.which("cat")
    assert sleep is not None
    program = Path(shutil.copy(sleep, folder / "feed"))
    link = tmp_path / "link"
    link.symlink_to(folder)
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        (holder,) = find_holders(link, ()).holders
        process.communicate()
    assert (holder.name, Path(holder.path)) == ("feed", program)


def test_a_neighbour_whose_name_begins_alike_is_no_part_of_it(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "bundle-2"
    other.mkdir()
    with running(sys.executable, "-c", WAIT, cwd=other):
        assert find_holders(folder, ()).holders == []


def test_what_was_started_is_found_and_what_has_ended_is_not() -> None:
    with running(sys.executable, "-c", WAIT) as pid:
        assert pid in [each.pid for each in descendants_of(os.getpid(), ())]
        assert pid not in [each.pid for each in descendants_of(os.getpid(), (pid,))]
    assert pid not in [each.pid for each in descendants_of(os.getpid(), ())]
