import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deskbus.storage import durable_files


def test_a_locked_folder_keeps_other_processes_out_until_it_is_closed(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from deskbus.storage import durable_files; "
        "durable_files.lock_folder(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    held = durable_files.lock_folder(tmp_path)
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
    monkeypatch.setattr(durable_files, "REPLACE_ATTEMPTS", 3)
    monkeypatch.setattr(durable_files, "REPLACE_PAUSE_S", 0)
    fresh, path = tmp_path / "fresh", tmp_path / "file"
    fresh.write_text("new")
    path.write_text("old")
    durable_files.replace(fresh, path)
    assert path.read_text() == "new"


def test_a_file_that_stays_open_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(self: Path, target: Path) -> Path:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(durable_files, "REPLACE_ATTEMPTS", 3)
    monkeypatch.setattr(durable_files, "REPLACE_PAUSE_S", 0)
    with pytest.raises(PermissionError):
        durable_files.replace(tmp_path / "fresh", tmp_path / "file")


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
@pytest.mark.parametrize("before", [None, 0o644])
def test_what_is_written_private_is_so_whatever_the_umask(
    tmp_path: Path, before: int | None
) -> None:
    path = tmp_path / "export"
    if before is not None:
        path.write_bytes(b"something longer")
        path.chmod(before)
    umask = os.umask(0)
    try:
        durable_files.write_private(path, b"secret")
    finally:
        os.umask(umask)
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
def test_a_folder_that_others_can_change_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert durable_files.exposure(folder) == (False, "")
    folder.mkdir(mode=0o700)
    assert durable_files.exposure(folder) == (False, "")
    (tmp_path / "link").symlink_to(folder)
    assert "is a link" in durable_files.exposure(tmp_path / "link")[1]
    folder.chmod(0o770)
    assert durable_files.exposure(folder)[0] is False
    assert "its group" in durable_files.exposure(folder)[1]
    folder.chmod(0o777)
    assert durable_files.exposure(folder)[0] is True
    assert durable_files.exposure(tmp_path / "link")[0] is True


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
@pytest.mark.parametrize("exists", [True, False])
def test_a_parent_that_others_can_write_into_is_told_unless_it_is_sticky(
    tmp_path: Path, exists: bool
) -> None:
    parent = tmp_path / "parent"
    folder = parent / "middle" / "data"
    parent.mkdir()
    if exists:
        folder.mkdir(parents=True, mode=0o700)
    for mode, anybody, words in (
        (0o755, False, ""),
        (0o777, True, f"anybody on this machine can write into {parent}, and so put another"),
        (0o1777, False, ""),
        (0o775, False, f"its group can write into {parent}, and so put another"),
        (0o1775, False, ""),
    ):
        parent.chmod(mode)
        told = durable_files.exposure(folder)
        assert told[0] is anybody
        assert told[1].startswith(words)
        assert bool(told[1]) is bool(words)


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
@pytest.mark.parametrize("where", ["beside the link", "behind the link", "the target itself"])
def test_what_is_reached_through_a_link_is_as_exposed_as_both_ends(
    tmp_path: Path, where: str
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    (far / "real" / "data").mkdir(parents=True)
    near.mkdir()
    (near / "link").symlink_to("../far/real")
    folder = near / "link" / "data"
    assert durable_files.exposure(folder) == (False, "")
    {"beside the link": near, "behind the link": far, "the target itself": far / "real"}[
        where
    ].chmod(0o777)
    assert durable_files.exposure(folder)[0] is True


@pytest.mark.skipif(sys.platform == "win32", reason="folders there belong to their user")
def test_a_link_that_leads_to_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link/further")
    assert "is a link" in durable_files.exposure(tmp_path / "link")[1]
    assert durable_files.exposure(tmp_path / "link" / "data") == (False, "")
