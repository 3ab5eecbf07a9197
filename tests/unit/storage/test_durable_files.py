import os
import stat
import sys
from pathlib import Path

import pytest

from deskbus.storage import durable_files


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


def test_a_file_is_on_the_disk_before_it_is_in_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, replace, done = durable_files.sync, durable_files.replace, []

    def synced(descriptor: int) -> None:
        done.append(f"{os.fstat(descriptor).st_size} bytes")
        sync(descriptor)

    def replaced(unfinished: Path, path: Path) -> None:
        done.append("replaced")
        replace(unfinished, path)

    monkeypatch.setattr(durable_files, "sync", synced)
    monkeypatch.setattr(durable_files, "replace", replaced)
    durable_files.write_whole(tmp_path / "list.json", b"content")
    assert done == ["7 bytes", "replaced"]
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"content"]
