"""A backend that does not start: the shell's error has its last words and what to do."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import absent

START = Path(__file__).parents[1] / "programs/startbackend.mjs"
LIMIT_S = 30


def failed_start(folder: Path, config: str) -> dict[str, str]:
    node = shutil.which("node")
    if node is None:
        absent("there is no node")
    file = folder / "deskbus.toml"
    file.write_text(config)
    command = [node, str(START), sys.executable, str(folder / "data"), str(file)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    told: dict[str, str] = json.loads(done.stdout)
    return told


@pytest.mark.requirement("6.5")
def test_a_mistake_in_the_configuration_is_named_and_not_put_off(tmp_path: Path) -> None:
    told = failed_start(tmp_path, '[[apps]]\nid = "desk.app"\nname = "App"\ngrnts = []\n')
    assert f"{tmp_path / 'deskbus.toml'}:4: apps[0].grnts" in told["failed"]
    assert "Did you mean grants?" in told["failed"]
    assert told["action"] == "Correct the configuration, then start again."


@pytest.mark.requirement("6.5")
def test_a_second_backend_names_the_first_and_its_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = subprocess.Popen(
        [sys.executable, "-m", "deskbus", "serve", "--headless", "--data-dir", str(data)],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert first.stderr is not None
        while "backend.ready" not in first.stderr.readline():
            assert first.poll() is None
        told = failed_start(tmp_path, "")
    finally:
        first.terminate()
        first.communicate(timeout=LIMIT_S)
    assert told["failed"].startswith(f"a backend (pid {first.pid}) already runs on {data}\n")
    assert told["category"] == "conflict"
    assert "requestSingleInstanceLock" in told["action"]
