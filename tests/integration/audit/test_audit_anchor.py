"""The end of the audit log against a real keychain: a cut is found, or said to be possible."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from deskbus.audit.store.audit_folder import ANCHOR, KEYS, list_files
from deskbus.audit.store.key_file import is_sealed
from deskbus.config import AUDIT_FOLDER, VAULT_FOLDER
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.vault import Vault
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import LIMIT_S, TestShell, start_shell
from tests.integration.vault.secretservice import SecretService
from tests.support.configuration import app

CONFIG = app("desk.feed", grants=["secrets own"])
ANCHOR_NAME = Name("audit", "", "anchor")


def verify(data: Path, *more: str, **env: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "deskbus", "audit", "verify", "--data-dir", str(data), *more],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


async def health_of(shell: TestShell) -> dict[str, Any]:
    report = await shell.client.call("health.get", {}, result=dict)
    return dict(report["components"]["audit"])


async def live(data: Path) -> None:
    """A run that keeps a secret, and whose log is anchored in the vault when it ends."""
    async with start_shell(data, config=CONFIG) as shell, shell.app("desk.feed") as feed:
        await feed.call("secrets.set", {"name": "token", "value": "one"})
        with anyio.fail_after(20):
            while "in the keychain" not in (await health_of(shell))["detail"]:
                await anyio.sleep(0.05)
    assert is_sealed(data / AUDIT_FOLDER / KEYS)


def anchor_in(data: Path) -> bytes:
    vault = Vault(data / VAULT_FOLDER)
    try:
        kept = vault.get(ANCHOR_NAME)
        assert kept is not None
        return kept
    finally:
        vault.close()


def cut(data: Path) -> None:
    list_files(data / AUDIT_FOLDER)[-1].path.unlink()


def without_bus(data: Path, keychain: SecretService) -> None:
    keychain.stop()


def locked(data: Path, keychain: SecretService) -> None:
    keychain.stop()
    keychain.start(unlocked=False)


def damaged(data: Path, keychain: SecretService) -> None:
    keyset = data / VAULT_FOLDER / "keyset"
    keyset.write_bytes(keyset.read_bytes()[:-8])


def emptied(data: Path, keychain: SecretService) -> None:
    for file in (data / VAULT_FOLDER).iterdir():
        file.unlink()


def removed(data: Path, keychain: SecretService) -> None:
    shutil.rmtree(data / VAULT_FOLDER)


def record_deleted(data: Path, keychain: SecretService) -> None:
    vault = Vault(data / VAULT_FOLDER)
    vault.delete(ANCHOR_NAME)
    vault.close()


def password_unknown(data: Path, keychain: SecretService) -> None:
    vault = Vault(data / VAULT_FOLDER)
    vault.use_password(bytearray(b"a master password"))
    vault.close()


@pytest.mark.requirement("8.4")
async def test_a_cut_end_is_never_ok_whatever_became_of_the_vault(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    whole = tmp_path / "data"
    await live(whole)
    leftover = anchor_in(whole)
    await live(whole)
    assert verify(whole)[:1] == (0,)
    shutil.copytree(whole, tmp_path / "cut")
    cut(tmp_path / "cut")
    code, verdict, _ = verify(tmp_path / "cut")
    assert (code, verdict["verdict"]) == (1, "TAMPERED")
    # An end that the keychain knows can't be made up beside the log.
    (tmp_path / "cut" / AUDIT_FOLDER / ANCHOR).write_bytes(leftover)
    code, verdict, _ = verify(tmp_path / "cut")
    assert (code, verdict["verdict"]) == (1, "TAMPERED")
    ways: list[Callable[[Path, SecretService], None]] = [
        damaged,
        emptied,
        removed,
        record_deleted,
        password_unknown,
        locked,
        without_bus,
    ]
    for way in ways:
        data = tmp_path / way.__name__
        shutil.copytree(tmp_path / "cut", data)
        way(data, keychain)
        code, verdict, said = verify(data)
        assert (code, verdict["verdict"]) == (3, "UNANCHORED"), way.__name__
        assert verdict["reason"], way.__name__
        assert verdict["action"], way.__name__
        assert "UNANCHORED" in said, way.__name__
    code, verdict, _ = verify(whole, DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")
    assert (code, verdict["verdict"]) == (3, "UNANCHORED"), "what is whole isn't proven to be"


@pytest.mark.requirement("8.4")
async def test_a_master_password_opens_the_anchor(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    await live(data)
    password_unknown(data, keychain)
    reading, writing = os.pipe()
    os.write(writing, b"a master password\n")
    os.close(writing)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "deskbus", "audit", "verify"),
            *("--data-dir", str(data), "--password-fd", str(reading)),
        ],
        pass_fds=[reading],
        capture_output=True,
        timeout=60,
        check=False,
    )
    os.close(reading)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "OK"), done.stderr


@pytest.mark.requirement("8.4")
async def test_with_sealed_keys_and_no_vault_health_says_so_and_calls_are_refused_with_a_reason(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    await live(data)
    shutil.rmtree(data / VAULT_FOLDER)
    keychain.stop()
    async with start_shell(data, config=CONFIG) as shell:
        with anyio.fail_after(LIMIT_S):
            while (found := await health_of(shell))["status"] != "degraded":
                await anyio.sleep(0.05)
        assert "vault is gone" in found["detail"]
        async with shell.app("desk.feed") as feed:
            with anyio.fail_after(LIMIT_S):
                with pytest.raises(DeskbusError) as refused:
                    await feed.call("audit.query", {})
                assert refused.value.kind.name == "permission_denied"
                with pytest.raises(DeskbusError) as unrecorded:
                    await shell.client.call("audit.verify", {})
                assert unrecorded.value.kind.name in ("audit_unavailable", "degraded")
