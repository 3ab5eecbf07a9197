"""`deskbus chaos` against a running backend: each fault happens, and it gets well again."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus_protocol.chaos import FAULTS
from tests.integration.commands.test_cli import headless
from tests.integration.processes.test_apps_command import command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are read from /proc"),
]

CONFIG = """
development = true
[persistence]
topics = ["orders.#"]
[[apps]]
id = "desk.sleeper"
name = "Sleeper"
process = { entry = "sleep", args = ["600"] }
"""
SHORT = ("--seconds", "0.2")
WITHIN_S = 90.0


async def run(*words: str, data_dir: Path) -> tuple[int, Any, str]:
    with anyio.fail_after(WITHIN_S):
        done = await anyio.run_process(command(*words, data_dir=data_dir), check=False)
    return done.returncode, json.loads(done.stdout or b"null"), done.stderr.decode()


@pytest.mark.requirement("8.1")
async def test_a_backend_gets_well_again_after_each_fault(tmp_path: Path) -> None:
    data, config = tmp_path / "data", tmp_path / "deskbus.toml"
    config.write_text(CONFIG)
    async with headless(data, "--config", str(config)):
        assert (await run("apps", "launch", "desk.sleeper", data_dir=data))[0] == 0
        for fault in (each for each in FAULTS if each != "shell-stall"):
            code, report, words = await run("chaos", fault, *SHORT, data_dir=data)
            assert (code, report["broken"]) == (0, []), (fault, words)
            assert report["wellAfter"] >= 0
        code, _, words = await run("chaos", "shell-stall", data_dir=data)
        assert (code, "There is no shell" in words) == (1, True)
        _, again, _ = await run("apps", "list", data_dir=data)
        assert again["apps"][0]["restarts"] == 1
        _, health, _ = await run("call", "health.get", data_dir=data)
        assert health["components"]["vault"]["detail"] == "locked: a person locked it"
        assert "faults can be made" in health["components"]["development"]["detail"]
        code, done, _ = await run("audit", "verify", data_dir=data)
        assert done["verdict"] == "UNANCHORED"


async def test_without_development_mode_nothing_happens_and_the_attempt_is_recorded(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    async with headless(data):
        code, _, words = await run("chaos", "vault-locked", data_dir=data)
        assert code == 1
        assert "development = true" in words
        _, health, _ = await run("call", "health.get", data_dir=data)
        assert "locked" not in health["components"]["vault"].get("detail", "")
        assert "development" not in health["components"]
        query = ("call", "audit.query", '{"types": ["control.acted"]}')
        _, found, _ = await run(*query, data_dir=data)
        assert [each["reason"] for each in found["records"]] == [
            "failed: Faults are made in development mode alone.",
            "",
        ]
    code, listed, _ = await run("chaos", data_dir=data)
    assert (code, listed) == (0, dict(FAULTS))
    assert (await run("chaos", "rain", data_dir=data))[0] == 2
