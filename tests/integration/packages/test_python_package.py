"""The Python package as others get it: wheel and sdist, with all that a backend needs in them."""

import email
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.plugin.interface import BuilderInterface
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from demo.electron import ROOT

LIMIT_S = 60
NOT_FOR_USERS = {"dev", "test"}
ASSETS = {"deskbus/web/assets/deskbus.js", "deskbus/web/assets/deskbus-worker.js"}


def build(builder: Callable[[str], BuilderInterface[Any, Any]], folder: Path) -> Path:
    folder.mkdir()
    (built,) = builder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(WheelBuilder, tmp_path_factory.mktemp("built") / "wheel")


def test_the_wheel_has_types_the_licence_and_what_the_gateway_serves(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    assert {"deskbus/py.typed", "deskbus_protocol/py.typed"} <= names
    assert names >= ASSETS
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    assert not [name for name in names if name.startswith("tests")]


def test_the_extra_named_all_has_every_extra_for_users(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        (name,) = (each for each in content.namelist() if each.endswith("dist-info/METADATA"))
        told = email.message_from_bytes(content.read(name))
    needs: dict[str, set[str]] = {name: set() for name in told.get_all("Provides-Extra", [])}
    for requirement in told.get_all("Requires-Dist", []):
        name, _, extra = requirement.partition("; extra == ")
        if extra:
            needs[extra.strip("'\"")].add(name)
    extras = needs.keys() - NOT_FOR_USERS - {"all"}
    assert extras >= {"nats", "web", "metrics", "otel"}
    assert needs["all"] == set().union(*(needs[extra] for extra in extras))


def test_two_builds_have_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    assert build(WheelBuilder, tmp_path / "again").read_bytes() == wheel.read_bytes()


def test_the_sdist_makes_the_same_wheel_without_node(wheel: Path, tmp_path: Path) -> None:
    sdist = build(SdistBuilder, tmp_path / "sdist")
    with tarfile.open(sdist) as content:
        content.extractall(tmp_path, filter="data")
    (sources,) = tmp_path.glob("deskbus-*")
    (again,) = WheelBuilder(str(sources)).build(directory=str(tmp_path), versions=["standard"])
    assert Path(again).read_bytes() == wheel.read_bytes()


def test_what_was_installed_runs_away_from_the_sources(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        content.extractall(tmp_path / "installed")
    # The libraries come from here, deskbus itself from there.
    program = "import deskbus.app, deskbus_protocol; print(deskbus.app, deskbus_protocol)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")}, cwd=tmp_path,
        capture_output=True, text=True, check=True, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.stdout.count(str(tmp_path / "installed")) == 2
