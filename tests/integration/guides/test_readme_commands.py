"""The commands of the README, pasted into bash as they stand."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import absent
from tests.support.readme import check_block_without_electron


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")
def test_the_block_without_electron_works_as_it_is_pasted(tmp_path: Path) -> None:
    if shutil.which("bash") is None:
        absent("there is no bash here")
    check_block_without_electron(tmp_path, Path(sys.executable))
