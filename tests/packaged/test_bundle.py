"""`deskbus bundle`: the folder runs anywhere, without any other Python."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest

from demo.processes import Process, process, runs
from deskbus.cli import parser
from deskbus.commands.bundling.layout import BundleLayout
from deskbus.commands.bundling.verification import answer_time_s
from tests.integration.shell import TestShell, start_shell
from tests.packaged.conftest import EXAMPLE

LIMIT_S = 60
ROUNDS = 9
WITHIN_OF_SOURCE = 1.2


def commands() -> list[str]:
    (choices,) = (
        each.choices for each in parser()._actions if isinstance(each, argparse._SubParsersAction)
    )
    return sorted(choices)


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("command", commands())
def test_every_command_is_there(bundle: Path, bare: dict[str, str], command: str) -> None:
    program = f"import deskbus.commands.{module_of(command)}"
    subprocess.run([bundle / "bin/python3", "-I", "-c", program], env=bare, check=True)
    ran = subprocess.run(
        [bundle / "deskbus", command, "--help"],
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"usage: deskbus {command}" in ran.stdout


def module_of(command: str) -> str:
    if command in ("call", "pub", "sub", "replay"):
        return "client"
    return command.replace("-", "_")


@asynccontextmanager
async def example(bundle: Path, folder: Path, env: Mapping[str, str]) -> AsyncIterator[TestShell]:
    """The bundle's backend with the example's apps."""
    shutil.copytree(EXAMPLE / "apps", folder, dirs_exist_ok=True)
    config = (folder / "deskbus.toml").read_text()
    command = [str(bundle / "deskbus")]
    async with start_shell(folder, config=config, command=command, env=env) as shell:
        yield shell


async def started(shell: TestShell) -> Process:
    """The process of the example's Python app, once that is ready."""
    ready = anyio.Event()

    def on_changed(params: msgspec.Raw) -> None:
        if msgspec.json.decode(params)["status"]["state"] == "ready":
            ready.set()

    shell.client.observe("apps.changed", on_changed)
    launched = await shell.client.call(
        "apps.launch", {"app": "example.statistics"}, result=dict, timeout_s=LIMIT_S
    )
    with anyio.fail_after(LIMIT_S):
        await ready.wait()
    found = process(launched["status"]["pid"])
    assert found is not None
    return found


async def test_an_app_in_python_with_a_compiled_dependency_runs_and_nothing_is_written(
    bundle: Path, bare: dict[str, str], short_path: Path
) -> None:
    before = snapshot(bundle)
    async with example(bundle, short_path, bare) as shell:
        app = await started(shell)
        assert Path(f"/proc/{app.pid}/exe").readlink() == bundle / "bin/python3"
        async with shell.app("example.board") as page:
            shell.person = shell.allow
            with anyio.fail_after(LIMIT_S):
                answer = await page.request("statistics.summary", [1, 2, 3, 4])
    assert msgspec.json.decode(answer.payload)["mean"] == 2.5
    assert not runs(app)
    assert snapshot(bundle) == before


async def test_no_app_outlives_a_backend_that_was_killed(
    bundle: Path, bare: dict[str, str], short_path: Path
) -> None:
    async with example(bundle, short_path, bare) as shell:
        app = await started(shell)
        os.kill(shell.hello.pid, signal.SIGKILL)
        with anyio.fail_after(LIMIT_S):
            while runs(app):
                await anyio.sleep(0.01)


def test_nothing_is_loaded_from_outside(bundle: Path, bare: dict[str, str]) -> None:
    program = "import sys, json; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path]))"
    ran = subprocess.run(
        [bundle / "bin/python3", "-I", "-c", program], env=bare, capture_output=True, check=True
    )
    assert all(Path(place).is_relative_to(bundle) for place in json.loads(ran.stdout))


def test_a_new_bundle_replaces_an_old_one_only(made_bundle: Path) -> None:
    manifest = json.loads((made_bundle / "bundle.json").read_text())
    assert manifest["packages"]["deskbus"]
    assert set(manifest["appPackages"]) == {"numpy"}
    assert manifest["native"][-1] == "bin/python3"
    assert [path.name for path in made_bundle.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.serial
def test_the_time_to_a_first_answer_beside_the_source(
    bundle: Path, short_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alternating; the medians' ratio is told, and fails only where it is beyond all noise."""
    source = [sys.executable, "-I", "-m", "deskbus"]
    took: dict[str, list[float]] = {"source": [], "bundle": []}
    for name, command in [("source", source), ("bundle", [str(BundleLayout(bundle).command)])] * (
        ROUNDS + 1
    ):
        took[name].append(answer_time_s(command, short_path, dict(os.environ)))
    medians = {name: sorted(each[1:])[ROUNDS // 2] for name, each in took.items()}
    ratio = medians["bundle"] / medians["source"]
    with capsys.disabled():
        words = ", ".join(f"{name} {median * 1000:.0f} ms" for name, median in medians.items())
        print(f"\nstart to first answer: {words}; ratio {ratio:.2f}, goal {WITHIN_OF_SOURCE}")
    assert ratio < 2 * WITHIN_OF_SOURCE
