"""Nothing that was written anywhere has a secret, a password or a key in it."""

import base64
import re
import sys
from pathlib import Path

import pytest

from deskbus.config import VAULT_FOLDER
from deskbus.vault.keys.kek_providers import KeychainKekProvider
from deskbus.vault.keys.keychain import find_keychain
from deskbus.vault.vault import Vault
from deskbus_protocol.errors import DeskbusError
from tests.integration.shell import start_shell
from tests.integration.vault.secretservice import SecretService
from tests.support.configuration import app, configuration

CANARY = "canary-7f3a9c-sings"
NAME = "name-of-a-canary-5e1d"
PASSWORD = "password-of-a-canary-2b8f"
CONFIG = configuration(app("desk.feed", grants=["secrets own"]), app("desk.stranger"))


def forms(secret: bytes) -> list[bytes]:
    """How it might have been written."""
    return [
        secret,
        secret.hex().encode(),
        base64.b64encode(secret).rstrip(b"="),
        base64.urlsafe_b64encode(secret).rstrip(b"="),
        repr(secret)[2:-1].encode(),
        repr(bytearray(secret))[12:-2].encode(),
    ]


def everything_below(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.requirement("3.3")
async def test_no_secret_and_no_key_is_in_anything_that_was_written(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with (
        start_shell(data, config=CONFIG) as shell,
        shell.app("desk.feed") as feed,
        shell.app("desk.stranger", honest=False) as stranger,
    ):
        secret = {"name": NAME, "value": CANARY}
        await feed.call("secrets.set", secret)
        for wrong in ({**secret, "more": CANARY}, {"name": 1, "value": CANARY}, {"name": CANARY}):
            with pytest.raises(DeskbusError) as refused:
                await stranger.call("secrets.set", wrong)
            assert CANARY not in repr(refused.value.to_object())
        with pytest.raises(DeskbusError):
            await stranger.call("secrets.set", secret)
        await shell.client.call("vault.unlock", {"password": PASSWORD})
        await shell.client.call("vault.rotate", {})
        # Damaged records, and a vault that can't be written: the paths on which errors are told.
        (pack,) = (data / VAULT_FOLDER).glob("*.pack")
        content = pack.read_bytes()
        pack.write_bytes(bytes(byte ^ 1 for byte in content))
        with pytest.raises(DeskbusError):
            await feed.call("secrets.get", {"name": NAME})
        pack.write_bytes(content)
        if sys.platform == "linux":
            (data / VAULT_FOLDER / "manifest.new").mkdir()
            with pytest.raises(DeskbusError):
                await feed.call("secrets.set", secret)
            (data / VAULT_FOLDER / "manifest.new").rmdir()
        for method in ("health.get", "vault.status", "bus.stats", "bus.deadLetters"):
            assert CANARY not in str(await shell.client.call(method, {}, result=dict))

    vault = Vault(data / VAULT_FOLDER)
    vault.unlock()
    assert vault._opened is not None
    keys = [bytes(vault._opened.kek), *(bytes(key.key) for key in vault._opened.keys)]
    assert len(keys) >= 3
    vault.close()
    found = find_keychain()
    assert found is not None
    installation = (data / VAULT_FOLDER / "installation").read_text()
    assert keys[0] in [
        bytes(key) for key in KeychainKekProvider(found, installation).keys().values()
    ]

    written = everything_below(data)
    assert any(path.name == "stderr.log" and content for path, content in written.items())
    for secret_bytes in [CANARY.encode(), NAME.encode(), PASSWORD.encode(), *keys]:
        for form in forms(secret_bytes):
            for path, content in written.items():
                assert form not in content, f"{path} has it"


@pytest.mark.requirement("3.3")
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")
async def test_no_secret_is_in_the_backends_arguments_or_environment(
    keychain: SecretService, tmp_path: Path, anyio_backend: str
) -> None:
    async with start_shell(tmp_path / "data", config=CONFIG) as shell:
        async with shell.app("desk.feed") as feed:
            await feed.call("secrets.set", {"name": NAME, "value": CANARY})
        limits = Path(f"/proc/{shell.process.pid}/limits").read_text()
        assert re.search(r"Max core file size +[01] ", limits)
        for what in ("environ", "cmdline"):
            content = Path(f"/proc/{shell.process.pid}/{what}").read_bytes()
            assert CANARY.encode() not in content
