"""Secrets of apps over RPC, and the vault's commands, with and without a real keychain."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec import Raw

from deskbus.config import VAULT_FOLDER
from deskbus_protocol.client import Client
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.ui import ShowDialogParams
from tests.integration.shell import LIMIT_S, TestShell, answer_to, start_shell
from tests.integration.vault.secretservice import SecretService

pytestmark = pytest.mark.requirement("3.3")

SECRETS = '{ permission = "secrets", scope = "own" }'
CONFIG = f"""
[[apps]]
id = "desk.feed"
name = "Feed"
grants = [{SECRETS}]

[[apps]]
id = "desk.blotter"
name = "Blotter"
grants = [{SECRETS}]

[[apps]]
id = "desk.ticker"
name = "Ticker"
declares = [{SECRETS}]

[[apps]]
id = "desk.stranger"
name = "Stranger"
"""


async def put(app: Client, name: str, value: str) -> None:
    await app.call("secrets.set", {"name": name, "value": value})


async def get(app: Client, name: str) -> str:
    return str((await app.call("secrets.get", {"name": name}, result=dict))["value"])


async def status(shell: TestShell) -> dict[str, Any]:
    return dict((await shell.client.call("vault.status", {}, result=dict))["status"])


async def health(shell: TestShell) -> dict[str, Any]:
    report = await shell.client.call("health.get", {}, result=dict)
    return dict(report["components"]["vault"])


async def test_a_secret_is_there_after_a_restart_for_its_app_alone(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell:
        assert (await status(shell))["state"] == "closed"
        async with shell.app("desk.feed") as feed, shell.app("desk.blotter") as blotter:
            await put(feed, "token", "one")
            await put(feed, "token", "two")
            await put(blotter, "token", "three")
            assert await get(feed, "token") == "two"
            assert await get(blotter, "token") == "three"
        assert (await status(shell))["home"] == "secret-service"
        today = datetime.now(UTC).date()
        words = "secret-service: 256-bit key in the keychain; last rotated "
        assert (await health(shell))["detail"] in {
            words + str(day) for day in (today, today - timedelta(days=1))
        }
    async with start_shell(data, config=CONFIG) as shell:
        async with shell.app("desk.feed") as feed, shell.app("desk.blotter") as blotter:
            assert await get(feed, "token") == "two"
            listed = await feed.call("secrets.list", {}, result=dict)
            assert listed == {"names": ["token"]}
            gone = await feed.call("secrets.delete", {"name": "token"}, result=dict)
            assert gone == {"deleted": True}
            with pytest.raises(DeskbusError, match="no secret of that name"):
                await get(feed, "token")
            assert await get(blotter, "token") == "three"


async def test_an_app_without_the_permission_has_no_secrets(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG) as shell:
        async with shell.app("desk.stranger") as stranger:
            for method, params in [
                ("secrets.set", {"name": "a", "value": "b"}),
                ("secrets.get", {"name": "a"}),
                ("secrets.delete", {"name": "a"}),
                ("secrets.list", {}),
                ("vault.status", {}),
                ("vault.unlock", {}),
                ("vault.rotate", {}),
            ]:
                with pytest.raises(DeskbusError) as refused:
                    await stranger.call(method, params)
                assert refused.value.kind.name == "permission_denied"


async def test_a_person_is_asked_before_an_app_keeps_secrets(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG) as shell:
        shell.person = shell.allow
        async with shell.app("desk.ticker") as ticker:
            await put(ticker, "token", "one")
            assert await get(ticker, "token") == "one"
        (dialog,) = shell.dialogs
        assert "keep secrets of its own" in dialog.statement


async def test_without_a_keychain_it_is_said_that_nothing_is_kept(
    tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell:
        told = anyio.Event()
        notices: list[Raw] = []

        def changed(params: Raw) -> None:
            notices.append(params)
            told.set()

        shell.client.observe("vault.changed", changed)
        async with shell.app("desk.feed") as feed:
            await put(feed, "token", "unmistakable")
            assert await get(feed, "token") == "unmistakable"
        with anyio.fail_after(LIMIT_S):
            await told.wait()
        assert b'"memory"' in bytes(notices[0])
        found = await health(shell)
        assert found["status"] == "degraded"
        assert "memory only" in found["detail"]
    async with start_shell(data, config=CONFIG) as shell, shell.app("desk.feed") as feed:
        with pytest.raises(DeskbusError, match="no secret of that name"):
            await get(feed, "token")


async def test_locked_at_the_start_nothing_is_overwritten_and_all_is_there_later(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell, shell.app("desk.feed") as feed:
        await put(feed, "token", "one")
    keychain.stop()
    keychain.start(unlocked=False)
    async with start_shell(data, config=CONFIG) as shell, shell.app("desk.feed") as feed:
        for _ in range(2):
            with pytest.raises(DeskbusError, match="vault is locked") as locked:
                await put(feed, "token", "two")
            assert locked.value.kind.retryable
        assert (await status(shell))["state"] == "locked"
        keychain.unlock()
        await shell.client.call("vault.unlock", {})
        assert await get(feed, "token") == "one"


async def test_the_shell_rotates_every_key(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell, shell.app("desk.feed") as feed:
        await put(feed, "token", "one")
        before = await status(shell)
        keyset = (data / VAULT_FOLDER / "keyset").read_bytes()
        progress: list[Raw] = []
        shell.client.observe("$/progress", progress.append)
        after = (await shell.client.call("vault.rotate", {}, result=dict))["status"]
        # The app's, and the audit log's anchor.
        assert b'"2 of 2 records"' in bytes(progress[0])
        assert after["kekRotated"] >= before["kekRotated"]
        assert (data / VAULT_FOLDER / "keyset").read_bytes() != keyset
        assert await get(feed, "token") == "one"


async def test_a_record_that_was_changed_from_outside_is_in_the_audit_log(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell, shell.app("desk.feed") as feed:
        await put(feed, "token", "one")
        for pack in (data / VAULT_FOLDER).glob("*.pack"):
            pack.write_bytes(pack.read_bytes()[:-1])
        with pytest.raises(DeskbusError, match="changed from outside"):
            await get(feed, "token")
        wanted = {"types": ["vault.record_refused"]}
        with anyio.fail_after(LIMIT_S):
            while not (
                found := (await shell.client.call("audit.query", wanted, result=dict))["records"]
            ):
                await anyio.sleep(0.02)
        assert found[0]["severity"] == "critical"
        assert found[0]["details"]["purpose"] == "apps"


def vault_command(
    data: Path, *words: str, passwords: tuple[str, ...] = (), given: bytes = b""
) -> tuple[int, dict[str, Any], str]:
    """Runs `deskbus vault`; passwords go over descriptors, in the order of their options."""
    options: list[str] = []
    descriptors = []
    for option, password in zip(("--password-fd", "--new-password-fd"), passwords, strict=False):
        if password:
            reading, writing = os.pipe()
            os.write(writing, password.encode() + b"\n")
            os.close(writing)
            descriptors.append(reading)
            options += [option, str(reading)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "deskbus", "vault", *words, "--data-dir", str(data), *options],
            input=given,
            capture_output=True,
            pass_fds=descriptors,
            timeout=60,
            check=False,
        )
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    assert "Traceback" not in done.stderr.decode()
    return done.returncode, json.loads(done.stdout or b"{}"), done.stderr.decode()


def test_the_commands_keep_a_vault_under_a_password(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert vault_command(data, "status")[1]["state"] == "closed"
    code, _, told = vault_command(data, "set", "broker", given=b"value")
    assert (code, "no keychain" in told) == (1, True)
    assert vault_command(data, "change-password", passwords=("", "first password"))[0] == 0
    assert vault_command(data, "status")[1]["state"] == "locked"
    code, _, told = vault_command(data, "unlock", passwords=("wrong password",))
    assert (code, "password is wrong" in told) == (1, True)
    code, _, told = vault_command(data, "unlock")
    assert (code, "--password-fd" in told) == (2, True)
    assert (
        vault_command(data, "set", "broker", passwords=("first password",), given=b"value\n")[0]
        == 0
    )
    assert vault_command(data, "set", "other", passwords=("first password",), given=b"\xff")[0] == 2
    for wrong in (b"", b"\n", b"x" * 65_537):
        assert (
            vault_command(data, "set", "other", passwords=("first password",), given=wrong)[0] == 2
        )
    assert (
        vault_command(data, "change-password", passwords=("first password", "second password"))[0]
        == 0
    )
    code, report, _ = vault_command(data, "rotate", passwords=("second password",))
    assert (code, report["records"]) == (0, 1)
    assert vault_command(data, "unlock", passwords=("first password",))[0] == 1


def test_an_export_moves_to_another_data_folder(tmp_path: Path) -> None:
    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / "export"
    vault_command(here, "change-password", passwords=("", "here password"))
    vault_command(here, "set", "broker", passwords=("here password",), given=b"value")
    assert (
        vault_command(here, "export", str(file), passwords=("here password", "export password"))[0]
        == 0
    )
    assert file.stat().st_mode & 0o777 == 0o600
    assert (
        vault_command(here, "export", str(file), passwords=("here password", "export password"))[0]
        == 1
    )
    vault_command(there, "change-password", passwords=("", "there password"))
    assert (
        vault_command(there, "import", str(file), passwords=("there password", "wrong password"))[0]
        == 1
    )
    code, report, _ = vault_command(
        there, "import", str(file), passwords=("there password", "export password")
    )
    assert (code, report["records"]) == (0, 1)
    assert vault_command(there, "unset", "broker", passwords=("there password",))[0] == 0


async def test_the_commands_do_not_fight_a_running_backend(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG) as shell, shell.app("desk.feed") as feed:
        await put(feed, "token", "one")
        code, _, told = await anyio.to_thread.run_sync(lambda: vault_command(data, "rotate"))
        assert (code, "lets no tools in" in told, "tools = true" in told) == (1, True, True)
        assert await get(feed, "token") == "one"


async def test_a_secret_of_the_configuration_reaches_the_apps_process(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    args = ["-c", "import os; print('got', os.environ['KEY'])"]
    config = (
        '[[apps]]\nid = "desk.feed"\nname = "Feed"\n[apps.process]\n'
        f'entry = "{sys.executable}"\nargs = {json.dumps(args)}\n'
        'env = { KEY = "secret:broker" }\n'
    )
    async with start_shell(data, config=config) as shell:
        with pytest.raises(DeskbusError, match="not in the vault") as failed:
            await shell.client.call("apps.launch", {"app": "desk.feed"})
        assert "deskbus vault set broker" in failed.value.action
    assert vault_command(data, "set", "broker", given=b"a broker's key")[0] == 0
    async with start_shell(data, config=config) as shell:
        await shell.client.call("apps.launch", {"app": "desk.feed"})
        output = data / "logs/desk.feed.log"
        with anyio.fail_after(LIMIT_S):
            while not output.exists() or "got a broker's key" not in output.read_text():
                await anyio.sleep(0.02)


async def test_remembered_decisions_rest_in_the_vault(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"

    async def allow_for_good(asked: ShowDialogParams) -> dict[str, Any]:
        await shell.shown(asked)
        await anyio.sleep(0.52)
        return answer_to(asked, "allow", remember="always")

    async with start_shell(data, config=CONFIG) as shell:
        shell.person = allow_for_good
        async with shell.app("desk.ticker") as ticker:
            await put(ticker, "token", "one")
    assert not (data / "decisions.json").exists()
    async with start_shell(data, config=CONFIG) as shell:
        async with shell.app("desk.ticker") as ticker:
            assert await get(ticker, "token") == "one"
        assert shell.dialogs == []
    keychain.stop()
    keychain.start(unlocked=False)
    async with start_shell(data, config=CONFIG) as shell:
        report = await shell.client.call("health.get", {}, result=dict)
        assert "not known" in report["components"]["permissions"]["detail"]
        keychain.unlock()
        await shell.client.call("vault.unlock", {})
        with anyio.fail_after(LIMIT_S):
            while "not known" in report["components"]["permissions"].get("detail", ""):
                await anyio.sleep(0.02)
                report = await shell.client.call("health.get", {}, result=dict)
        async with shell.app("desk.ticker") as ticker:
            assert await get(ticker, "token") == "one"
        assert shell.dialogs == []
