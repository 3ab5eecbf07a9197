"""Room that is left on the disk."""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from deskbus.observability.disk_space import LITTLE_BYTES, DiskSpace


class Usage(NamedTuple):
    free: int


@pytest.mark.requirement("6.4")
async def test_little_room_and_a_disk_that_is_gone_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    disk = DiskSpace(tmp_path)
    await disk.look()
    assert "GB free" in str(disk.health().detail)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(LITTLE_BYTES - 1))
    await disk.look()
    assert disk.health().status == "degraded"
    monkeypatch.undo()
    disk = DiskSpace(tmp_path / "gone")
    await disk.look()
    assert disk.health().status == "degraded"
