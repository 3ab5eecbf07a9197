"""`deskbus vault` as a person uses it: a bar on the terminal, a keychain, the wrapper script."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from demo.electron import ROOT
from deskbus.config import VAULT_FOLDER
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.vault import Vault
from tests.conftest import absent
from tests.integration.vault.secretservice import SecretService
from tests.integration.vault.test_vault import vault_command

pytestmark = [
    pytest.mark.requirement("3.3"),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no pty, and no Secret Service"),
]

NAME = Name("config", "", "broker")


def test_a_rotation_shows_a_bar_on_a_terminal_and_json_on_standard_output(
    keychain: SecretService, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    vault = Vault(data / VAULT_FOLDER)
    vault.put_all((NAME._replace(name=str(n)), b"x") for n in range(1000))
    vault.close()
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "deskbus", "vault", "rotate", "--data-dir", str(data)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
        check=True,
    )
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "\r" in shown
    assert " 26%" in shown
    assert "100%" in shown
    assert "█" in shown
    report = json.loads(done.stdout)
    assert (report["records"], report["home"]) == (1000, "secret-service")


def test_a_vault_moves_from_a_password_into_the_keychain(
    keychain: SecretService, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    assert vault_command(data, "change-password", passwords=("", "first password"))[0] == 0
    assert (
        vault_command(data, "set", "broker", passwords=("first password",), given=b"value")[0] == 0
    )
    code, report, _ = vault_command(data, "use-keychain", passwords=("first password",))
    assert (code, report["home"], report["records"]) == (0, "secret-service", 1)
    assert vault_command(data, "unset", "broker")[0] == 0
    code, _, told = vault_command(data, "use-keychain", "macos")
    assert (code, "not to be had here" in told) == (1, True)


def test_the_wrapper_script_gives_a_command_a_keychain_of_its_own(tmp_path: Path) -> None:
    wrapped = [str(ROOT / "scripts/with-keyring"), sys.executable, "-m", "deskbus", "vault"]
    try:
        done = subprocess.run(
            [*wrapped, "unlock", "--data-dir", str(tmp_path / "data")],
            capture_output=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        absent("there is no bash here")
    if done.returncode == 127:
        absent("there is no gnome-keyring or no dbus-run-session here")
    report = json.loads(done.stdout)
    assert (report["state"], report["home"]) == ("unlocked", "secret-service")
