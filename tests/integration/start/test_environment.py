"""In any environment a backend finds its folders, and is found again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from deskbus.config import runtime_dir_for
from deskbus.security.tickets.developer_ticket import FILE_NAME
from tests.integration.shell import start_shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders of POSIX")

LIMIT_S = 20.0
NOBODY = 54_321


def deskbus(*words: str | bytes, env: Mapping[str, str], cwd: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "deskbus", *words],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def health_when_ready(
    env: Mapping[str, str], cwd: Path, *place: str | bytes
) -> dict[str, object]:
    with anyio.fail_after(LIMIT_S):
        while True:
            asking = deskbus("call", "health.get", *place, env=env, cwd=cwd)
            out, _ = await anyio.to_thread.run_sync(asking.communicate)
            if asking.returncode == 0:
                return dict(json.loads(out))
            await anyio.sleep(0.1)


@asynccontextmanager
async def served(env: Mapping[str, str], cwd: Path, *place: str | bytes) -> AsyncIterator[None]:
    backend = deskbus("serve", "--headless", *place, env=env, cwd=cwd)
    try:
        yield
    finally:
        backend.terminate()
        _, errors = await anyio.to_thread.run_sync(backend.communicate)
    assert backend.returncode == 0, errors


@pytest.mark.parametrize("value", ["", "relative"])
async def test_an_empty_or_relative_folder_of_xdg_counts_as_none(
    tmp_path: Path, value: str
) -> None:
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    home.mkdir()
    cwd.mkdir()
    env = {"HOME": str(home), "XDG_DATA_HOME": value, "XDG_RUNTIME_DIR": value}
    async with served(env, cwd):
        await health_when_ready(env, cwd)
        assert not list(cwd.iterdir())
        assert (home / ".local/share/deskbus").is_dir()


UNKNOWN = f"""
import os, sys
# What it imports may lie where only root can look.
import argparse, encodings.idna, resource
from deskbus.cli import parser
from deskbus.cli import main
from deskbus.commands import doctor, log
parser()
os.setgid({NOBODY})
os.setuid({NOBODY})
del os.environ["HOME"]
sys.exit(main())
"""


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can be nobody known")
async def test_without_home_and_with_an_unknown_uid_a_data_folder_can_be_named() -> None:
    folder = Path(f"/tmp/deskbus-test-{os.getpid()}")
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    env = {"PATH": os.environ["PATH"], "HOME": "x"}
    command = [sys.executable, "-c", UNKNOWN]
    try:
        refused = await anyio.run_process([*command, "doctor"], check=False, env=env)
        assert refused.returncode == 1
        assert b"--data-dir" in refused.stderr
        assert b"Traceback" not in refused.stderr
        command += ["log", "stat", "--data-dir", str(folder)]
        done = await anyio.run_process(command, check=False, env=env)
        assert b"no persisted messages" in done.stderr
        assert b"Traceback" not in done.stderr
    finally:
        shutil.rmtree(folder)


async def test_a_data_folder_may_have_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    env = {"HOME": str(tmp_path)}
    async with served(env, tmp_path, "--data-dir", folder):
        health = await health_when_ready(env, tmp_path, "--data-dir", folder)
        assert health["version"]
    assert Path(os.fsdecode(folder)).is_dir()


@pytest.mark.parametrize("what", ["folder", "socket", "ticket"])
async def test_a_backend_whose_runtime_folder_is_removed_is_found_again(
    tmp_path: Path, what: str
) -> None:
    config = 'tools = true\n[[apps]]\nid = "a.b"\nname = "A"\n'
    async with start_shell(tmp_path / "data", config=config) as shell:
        folder = runtime_dir_for(tmp_path / "data")
        async with shell.app("a.b") as before:
            if what == "folder":
                shutil.rmtree(folder)
            else:
                (folder / (FILE_NAME if what == "ticket" else "bus.sock")).unlink()
            health = await health_when_ready(
                dict(os.environ), tmp_path, "--data-dir", str(tmp_path / "data")
            )
            assert health["version"]
            async with shell.app("a.b", "after"):
                # Links from before go on.
                await before.call("session.ping", {})
    assert not (folder / "bus.sock").exists()
