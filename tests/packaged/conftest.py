"""The shipped bundle, as a user's machine gets it; minutes long: `make test-packaged` runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.electron import ROOT
from deskbus.commands.bundling.interpreter import bare_environment

BUILD = ROOT / "build" / "packaged"
EXAMPLE = ROOT / "examples" / "packaged"
MAKE_WITHIN_S = 300.0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Runs where it is named, and not with everything else."""
    named = any(
        Path(word.partition("::")[0]).resolve().is_relative_to(HERE) for word in config.args
    )
    return None if named else True


HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def made_bundle() -> Path:
    """The bundle as `deskbus bundle` made it, with what the example's apps need."""
    BUILD.mkdir(parents=True, exist_ok=True)
    out = BUILD / "backend"
    command = [sys.executable, "-m", "deskbus", "bundle", str(out)]
    command += ["--requirements", str(EXAMPLE / "requirements.txt")]
    with (BUILD / "bundle.json").open("wb") as report:
        subprocess.run(command, stdout=report, check=True, timeout=MAKE_WITHIN_S)
    return out


@pytest.fixture(scope="session")
def bundle(made_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in another place, whose name has a blank, and which nobody may write into."""
    moved = tmp_path_factory.mktemp("moved") / "a place"
    shutil.copytree(made_bundle, moved)
    return moved


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment in which no Python can be found."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environment = {**bare_environment(tmp_path), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"]}
    assert shutil.which("python3", path=environment["PATH"]) is None
    return environment
