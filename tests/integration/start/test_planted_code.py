"""Nothing that lies in the working folder, the user's site or on PYTHONPATH runs in the backend."""

import json
import os
import signal
import site
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from demo.processes import command_of, remains, tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ends processes by signals")

ROOT = Path(__file__).parents[3]
START = Path(__file__).parents[1] / "programs/startbackend.mjs"
BASE_PYTHON = sys._base_executable  # type: ignore[attr-defined]
MODULES = ("secrets", "random", "pkgutil", "signal", "resource", "ctypes", "nats", "usercustomize")
"""Modules of the standard library that the backend, its watchdog and launcher import; and more."""

APP = """
import random, secrets, sys
sys.stdout.write("it runs")
sys.stdin.read()
while True:
    import time
    time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose site-packages lead to deskbus, as `pip install --user` would have it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = tmp_path / "home" / ".local/lib" / version / "site-packages"
    packages.mkdir(parents=True)
    places = [ROOT / "backend", ROOT / "protocol", *map(Path, site.getsitepackages())]
    (packages / "deskbus.pth").write_text("".join(f"{place}\n" for place in places))
    return tmp_path / "home"


@pytest.fixture
def planted(tmp_path: Path, home: Path) -> Path:
    """A folder of modules that write their names into a file beside them when they are imported."""
    folder = tmp_path / "planted"
    folder.mkdir()
    for name in (*MODULES, "deskbus_protocol"):
        where = home / next(home.rglob("site-packages")) if name == "usercustomize" else folder
        told = str(tmp_path / "imported")
        (where / f"{name}.py").write_text(f"open({told!r}, 'a').write({name + ' '!r})\n")
    return folder


@contextmanager
def shell(
    tmp_path: Path, home: Path, python: str, *args: str, cwd: Path
) -> Iterator[dict[str, Any]]:
    """The words of the shell in `startbackend.mjs`."""
    app = tmp_path / "app" / "app.py"
    app.parent.mkdir()
    app.write_text(APP)
    config = tmp_path / "deskbus.toml"
    process = f'{{ kind = "python", entry = "{app}", cwd = "{cwd}", ready = "started" }}'
    config.write_text(f'[[apps]]\nid = "desk.app"\nname = "App"\nprocess = {process}\n')
    command = ["node", str(START), python, str(tmp_path / "data")]
    running = subprocess.Popen(
        [*command, str(config), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, "HOME": str(home), "PYTHONPATH": str(cwd), "PYTHONSTARTUP": "random.py"},
    )
    assert running.stdin is not None
    assert running.stdout is not None
    try:
        yield json.loads(running.stdout.readline())
    finally:
        running.stdin.close()
        running.wait(20)
        running.stdout.close()


@pytest.mark.parametrize("args", [(), ("-m", "deskbus")], ids=["as it comes", "with arguments"])
@pytest.mark.requirement("3.4")
def test_nothing_planted_is_imported_by_backend_watchdog_launcher_or_app(
    tmp_path: Path, home: Path, planted: Path, args: tuple[str, ...]
) -> None:
    # The same plants are found by a Python that is not told otherwise.
    subprocess.run([BASE_PYTHON, "-c", "import secrets"], cwd=planted, check=False)
    assert (tmp_path / "imported").exists()
    (tmp_path / "imported").unlink()

    with shell(tmp_path, home, sys.executable, *args, cwd=planted) as told:
        assert told.get("state") == "ready", told
        below = tree(told["pid"])[1:]
        assert len(below) >= 2  # the app and the watchdog
        for words in map(command_of, below):
            if words and words[-1].endswith("app.py"):
                assert "-s" in words
        # Killed, so that the watchdog does its work too.
        os.kill(told["pid"], signal.SIGKILL)
        assert anyio.run(remains, below, 5) == []
    assert not (tmp_path / "imported").exists(), (tmp_path / "imported").read_text()


def test_a_deskbus_in_the_users_site_alone_is_refused_with_what_to_do(
    tmp_path: Path, home: Path
) -> None:
    found = subprocess.run(
        [BASE_PYTHON, "-m", "deskbus", "--version"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        check=False,
    )
    assert found.stdout.startswith(b"deskbus"), "the user's site does not work in this test"

    with shell(tmp_path, home, BASE_PYTHON, cwd=tmp_path) as told:
        assert "site-packages" in told["failed"]
        for way_out in ("venv", '"command"', "bundle"):
            assert way_out in told["failed"]
