"""`deskbus apps` against a headless backend: installed, started, limited, gone, and kept."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from tests.integration.commands.test_cli import headless

SLEEPER = {
    "id": "desk.sleeper",
    "name": "Sleeper",
    "version": "1.0",
    "declares": [{"permission": "messaging.read", "scope": "prices.#"}],
    "process": {"entry": "sleep", "args": ["600"]},
    "limits": {"memory_mb": 64},
}


def command(*words: str, data_dir: Path) -> list[str]:
    return [sys.executable, "-m", "deskbus", *words, "--data-dir", str(data_dir)]


async def run(*words: str, data_dir: Path) -> tuple[int, str, str]:
    with anyio.fail_after(30):
        done = await anyio.run_process(command(*words, data_dir=data_dir), check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def manifest(folder: Path, **changes: object) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / "app.json"
    path.write_text(json.dumps({**SLEEPER, **changes}))
    return str(path)


@pytest.mark.requirement("8.3")
async def test_an_app_is_installed_launched_measured_and_there_after_a_restart(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    async with headless(data):
        code, out, _ = await run("apps", "install", manifest(tmp_path / "app"), data_dir=data)
        assert code == 0
        assert len(json.loads(out)["hash"]) == 64
        code, out, _ = await run("apps", "launch", "desk.sleeper", data_dir=data)
        assert json.loads(out)["status"]["state"] == "ready"
        code, out, _ = await run(
            "apps", "limit", "desk.sleeper", "memory_mb=99", "cpu_percent=12.5", data_dir=data
        )
        assert code == 0
        code, out, _ = await run("apps", "stats", "desk.sleeper", data_dir=data)
        (stats,) = json.loads(out)["apps"]
        assert stats["limits"]["memory_mb"] == 99
        assert stats["sample"]["processes"] == 1
        code, _, err = await run("apps", "install", manifest(tmp_path / "app"), data_dir=data)
        assert code == 1
        assert "Terminate it first" in err
    async with headless(data):
        code, out, _ = await run("apps", "list", data_dir=data)
        (app,) = json.loads(out)["apps"]
        assert (app["app"], app["state"]) == ("desk.sleeper", "stopped")
        code, out, _ = await run("apps", "stats", data_dir=data)
        assert json.loads(out)["apps"][0]["limits"]["cpu_percent"] == 12.5
        await run("apps", "launch", "desk.sleeper", data_dir=data)
        await run("apps", "uninstall", "desk.sleeper", data_dir=data)
        code, out, _ = await run("apps", "list", data_dir=data)
        assert json.loads(out)["apps"] == []
        code, out, _ = await run("call", "audit.query", '{"apps": ["desk.sleeper"]}', data_dir=data)
        types = [record["type"] for record in json.loads(out)["records"]]
    for event in (
        "app.installed",
        "app.launched",
        "app.ready",
        "app.terminated",
        "app.uninstalled",
    ):
        assert event in types


async def test_a_person_at_a_terminal_gets_a_table(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with headless(data):
        await run("apps", "install", manifest(tmp_path / "app"), data_dir=data)
        await run("apps", "launch", "desk.sleeper", data_dir=data)
        ours, theirs = pty.openpty()
        try:
            with anyio.fail_after(20):
                words = command("apps", "list", data_dir=data)
                await anyio.run_process(words, stdout=theirs, stderr=subprocess.DEVNULL)
            lines = os.read(ours, 65_536).decode().splitlines()
        finally:
            os.close(ours)
            os.close(theirs)
    assert lines[0].split() == ["APP", "STATE", "PID", "CPU", "MEMORY", "WINDOWS", "RESTARTS"]
    assert lines[1].split()[:2] == ["desk.sleeper", "ready"]
    assert lines[1].split()[-3] == "MB"


@pytest.fixture(scope="module")
async def installed(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Path]:
    """The data folder of a running backend that has the sleeper."""
    base = tmp_path_factory.mktemp("installed")
    async with headless(base / "data"):
        await run("apps", "install", manifest(base / "app"), data_dir=base / "data")
        yield base / "data"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["limit", "desk.sleeper", "memory_mb"], 2, "write a limit as"),
        (["limit", "desk.sleeper", "memory_mb=1"], 1, "memory_mb"),
        (["limit", "desk.sleeper", "memory_mb=much"], 2, "much is no number"),
        (["limit", "desk.sleeper", "processes=99999999999999999999"], 1, "processes"),
        (["limit", "desk.sleeper", "cpu_percent=nan"], 2, "cpu_percent"),
        (["launch", "desk.nobody"], 1, "See apps.list"),
        (["uninstall", "desk.nobody"], 1, "not installed"),
        (["install", "/no/such/app.json"], 1, "can't be read"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_word(
    installed: Path, words: list[str], code: int, told: str
) -> None:
    got, out, err = await run("apps", *words, data_dir=installed)
    assert got == code
    assert told in err
    assert out == ""
