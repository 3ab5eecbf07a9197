"""The log in files: rotation, mode, and a disk that refuses."""

import os
from pathlib import Path

import pytest

from deskbus.observability.logs import log_file
from deskbus.observability.logs.log_file import RotatedLogFile

LIMIT_S = 20


def lines_in(folder: Path) -> dict[str, list[str]]:
    return {path.name: path.read_text().split("\n")[:-1] for path in sorted(folder.iterdir())}


def test_files_rotate_by_size_and_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "deskbus.log"
    file = RotatedLogFile(path, max_bytes=30, files=3)
    for number in range(10):
        file.write(f"line {number:04}")  # 10 bytes each, so three a file
    file.close()
    assert lines_in(path.parent) == {
        "deskbus.log": ["line 0009"],
        "deskbus.log.1": ["line 0006", "line 0007", "line 0008"],
        "deskbus.log.2": ["line 0003", "line 0004", "line 0005"],
    }
    assert {entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {0o600}


def test_a_line_longer_than_a_file_has_one_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "deskbus.log"
    file = RotatedLogFile(path, max_bytes=30, files=3)
    for line in ("short", "x" * 100, "short"):
        file.write(line)
    file.close()
    assert {name: [len(line) for line in lines] for name, lines in lines_in(tmp_path).items()} == {
        "deskbus.log": [5],
        "deskbus.log.1": [100],
        "deskbus.log.2": [5],
    }


def test_a_later_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    for run in ("one", "two"):
        file = RotatedLogFile(tmp_path / "deskbus.log", max_bytes=1000, files=2)
        file.write(run)
        file.close()
    assert lines_in(tmp_path) == {"deskbus.log": ["one", "two"]}


@pytest.mark.skipif(os.name == "nt", reason="a link needs a privilege there")
def test_what_the_disk_refuses_is_tried_again_though_nothing_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "RETRY_S", 0.01)
    path = tmp_path / "deskbus.log"
    path.symlink_to(tmp_path / "elsewhere")  # nobody leads the log to another file
    file = RotatedLogFile(path, max_bytes=1000, files=2)
    file.write("first")
    assert not file.drain(0.1)
    assert file.health().status == "degraded"
    assert not (tmp_path / "elsewhere").exists()
    file.write("second")
    path.unlink()
    assert file.drain(LIMIT_S)
    assert (file.health().status, file.dropped) == ("ok", 0)
    file.close()
    assert lines_in(tmp_path) == {"deskbus.log": ["first", "second"]}


@pytest.mark.skipif(os.name == "nt", reason="a link needs a privilege there")
def test_lines_for_which_there_is_no_room_or_no_time_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "WAITING_BYTES", 12)
    path = tmp_path / "deskbus.log"
    path.symlink_to(tmp_path / "elsewhere")
    file = RotatedLogFile(path, max_bytes=1000, files=2)
    for line in ("first", "second", "third"):
        file.write(line)
    file.close()
    assert file.dropped == 3
    assert not (tmp_path / "elsewhere").exists()
