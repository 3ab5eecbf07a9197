import os
import subprocess
import sys
from pathlib import Path

import pytest

from deskbus.storage import disk


def test_a_locked_folder_keeps_other_processes_out_until_it_is_closed(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from deskbus.storage import disk; "
        "disk.lock_folder(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    held = disk.lock_folder(tmp_path)
    refused = subprocess.run(command, capture_output=True, check=False)
    assert b"BlockingIOError" in refused.stderr
    os.close(held)
    assert subprocess.run(command, check=False).returncode == 0


def test_a_file_that_somebody_has_open_for_a_moment_is_replaced_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, faults = Path.replace, [PermissionError(13, "in use")] * 2

    def busy(self: Path, target: Path) -> Path:
        if faults:
            raise faults.pop()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(disk, "REPLACE_ATTEMPTS", 3)
    monkeypatch.setattr(disk, "REPLACE_PAUSE_S", 0)
    fresh, path = tmp_path / "fresh", tmp_path / "file"
    fresh.write_text("new")
    path.write_text("old")
    disk.replace(fresh, path)
    assert path.read_text() == "new"


def test_a_file_that_stays_open_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(self: Path, target: Path) -> Path:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(disk, "REPLACE_ATTEMPTS", 3)
    monkeypatch.setattr(disk, "REPLACE_PAUSE_S", 0)
    with pytest.raises(PermissionError):
        disk.replace(tmp_path / "fresh", tmp_path / "file")
