"""The archive for who helps: all that is of use in it, and no secret."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import anyio
import pytest

from tests.integration.shell import LIMIT_S, start_shell
from tests.integration.vault.secretservice import SecretService
from tests.security.test_canary import everything_below, forms

SECRET = "hunter2-of-the-desk"
CONFIGURED = "broker-key-of-the-desk"
PLAIN = "plain-password-in-the-configuration"

PROGRAM = """
import sys
print("logged in with", sys.argv[1], flush=True)
sys.exit(3)
"""

CONFIG = f"""
tools = true
[logging]
file = "logs/backend.log"
[tracing]
headers = {{ authorization = "secret:collector", x-tenant = "{PLAIN}" }}
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{{ permission = "secrets", scope = "own" }}]
[apps.process]
kind = "python"
entry = "leaky.py"
args = ["{SECRET}"]
env = {{ BROKER_KEY = "{PLAIN}" }}
"""


async def support(data: Path, archive: Path) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "deskbus", "support", str(archive), "--data-dir", str(data)]
    done = await anyio.run_process(command, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.requirement("3.3")
async def test_an_archive_has_what_helps_and_no_secret_of_the_vault(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data, archive = tmp_path / "data", tmp_path / "support.tar.gz"
    data.mkdir()
    # The secret stands in the arguments too, where nothing can hide it; only the archive counts.
    (data / "leaky.py").write_text(PROGRAM)
    async with start_shell(data, config=CONFIG) as shell:
        async with shell.app("desk.feed", client="window") as feed:
            await feed.call("secrets.set", {"name": "broker", "value": SECRET})
        await shell.client.call("vault.setSecret", {"name": "collector", "value": CONFIGURED})
        await shell.client.call("apps.launch", {"app": "desk.feed"})
        log = data / "logs/desk.feed.log"
        with anyio.fail_after(LIMIT_S):
            while not (log.exists() and SECRET in log.read_text()):
                await anyio.sleep(0.05)
            while True:
                page = await shell.client.call(
                    "audit.query", {"types": ["app.crashed"]}, result=dict
                )
                if page["records"]:
                    break
                await anyio.sleep(0.05)
        code, told, words = await support(data, archive)
        assert code == 0, words
        again, _, refusal = await support(data, archive)
    assert again != 0
    assert "is there already" in refusal
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "out", filter="data")
    parts = everything_below(tmp_path / "out/deskbus-support")
    names = {str(path.relative_to(tmp_path / "out/deskbus-support")) for path in parts}
    assert names >= {
        *("versions.json", "configuration.json", "health.json", "metrics.txt"),
        *("apps.json", "crashes.json", "backend.log", "apps/desk.feed.log"),
    }
    assert set(json.loads(told)["parts"]) == names
    for secret in (SECRET, CONFIGURED, PLAIN):
        for form in forms(secret.encode()):
            for path, content in parts.items():
                assert form not in content, f"{path} has it"
    joined = b"".join(parts.values())
    assert b"logged in with [secret]" in joined
    assert b"app.crashed" in joined
    assert b"deskbus_messages_received_total" in joined
    assert b"secret:collector" in joined


async def test_with_a_locked_vault_nothing_that_might_have_a_secret_is_in_it(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data, archive = tmp_path / "data", tmp_path / "support.tar.gz"
    data.mkdir()
    (data / "leaky.py").write_text(PROGRAM)
    async with start_shell(data, config=CONFIG) as shell:
        async with shell.app("desk.feed", client="window") as feed:
            await feed.call("secrets.set", {"name": "broker", "value": SECRET})
        await shell.client.call("vault.lock", {})
        code, told, words = await support(data, archive)
    assert code == 0
    assert "the vault is locked" in words
    assert set(json.loads(told)["parts"]) == {
        "versions.json", "configuration.json", "health.json", "metrics.txt",
    }  # fmt: skip
