"""The npm package's own tests, which Node runs, a file each."""

import shutil
import subprocess

import pytest

from demo.electron import ROOT
from tests.conftest import absent

BRIDGE = ROOT / "electron-bridge"
FILES = sorted(file.name for file in (BRIDGE / "test").glob("*.test.mjs"))
LIMIT_S = 120


@pytest.mark.parametrize("file", FILES)
def test_a_file_of_the_npm_package_passes(file: str) -> None:
    node = shutil.which("node")
    if node is None or not (BRIDGE / "dist").is_dir():
        absent("there is no node, or scripts/setup has not run")
    done = subprocess.run(
        [node, f"test/{file}"],
        cwd=BRIDGE,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_such_files() -> None:
    assert len(FILES) > 10
