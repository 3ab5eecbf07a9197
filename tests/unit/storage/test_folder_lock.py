import os
import subprocess
import sys
from pathlib import Path

import pytest

from deskbus.storage.folder_lock import FolderBusyError, FolderLock, is_locked, is_locked_by_us

PROGRAM = """
import pathlib, sys
from deskbus.storage.folder_lock import FolderBusyError, FolderLock
lock = FolderLock(pathlib.Path(sys.argv[1]), sys.argv[2] or None)
try:
    lock.acquire()
except FolderBusyError as error:
    print("busy", error.pid, error)
else:
    print("acquired", flush=True)
    sys.stdin.read()
"""

NAMES = pytest.mark.parametrize("name", ["", "backend.lock"])


def other_process(folder: Path, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PROGRAM, str(folder), name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@NAMES
def test_a_held_folder_keeps_other_processes_out_until_it_is_released(
    tmp_path: Path, name: str
) -> None:
    lock = FolderLock(tmp_path, name or None)
    with lock.held():
        told, _ = other_process(tmp_path, name).communicate()
    pid = os.getpid() if name else None
    words = f"another process (pid {pid}) has this folder" if name else "another process has"
    assert told.startswith(f"busy {pid} ")
    assert words in told
    assert not lock.is_held
    told, _ = other_process(tmp_path, name).communicate()
    assert told == "acquired\n"


@NAMES
def test_a_process_that_is_killed_leaves_no_lock(tmp_path: Path, name: str) -> None:
    other = other_process(tmp_path, name)
    assert other.stdout is not None
    assert other.stdout.readline() == "acquired\n"
    lock = FolderLock(tmp_path, name or None)
    with pytest.raises(FolderBusyError) as refused:
        lock.acquire()
    assert refused.value.pid == (other.pid if name else None)
    assert not lock.is_held
    other.kill()
    other.communicate()
    lock.acquire()
    lock.release()


def test_a_lock_that_is_held_is_seen_and_known_as_ours(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path, "lock")
    assert not is_locked(tmp_path, "lock")
    assert [*tmp_path.iterdir()] == [], "looking makes nothing"
    with lock.held():
        assert is_locked(tmp_path, "lock")
        assert is_locked_by_us(tmp_path, "lock")
        (tmp_path / "lock").unlink()
        assert not is_locked_by_us(tmp_path, "lock"), "a folder that was made anew has no lock"
    (tmp_path / "lock").write_text(f"{os.getpid()}\n")
    assert not is_locked_by_us(tmp_path, "lock")


def test_a_lock_that_a_program_only_looks_at_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = FolderLock(tmp_path, "lock")
    probe.acquire()
    monkeypatch.setattr("deskbus.storage.folder_lock.time.sleep", lambda _: probe.release())
    with FolderLock(tmp_path, "lock").held(attempts=2):
        assert is_locked_by_us(tmp_path, "lock")


def test_acquiring_twice_holds_it_once(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    lock.acquire()
    lock.acquire()
    lock.sync()
    lock.release()
    with FolderLock(tmp_path).held():
        pass


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="lock"):
        FolderLock(tmp_path, "lock").acquire()
    assert not (tmp_path / "elsewhere").exists()
