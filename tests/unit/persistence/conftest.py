"""Fixtures of the tests of the log."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deskbus.persistence.log import message_log as log_module
from tests.support.files_in_memory import tmp_path
from tests.unit.persistence.rig import SMALL_SEGMENT
from tests.unit.persistence.service import Rig

__all__ = ["tmp_path"]


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "SEGMENT_BYTES", SMALL_SEGMENT)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.persistence.start()
    yield rig
    rig.disk.failing.clear()
    await rig.persistence.close()
