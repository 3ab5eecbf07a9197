"""`deskbus policy` and `deskbus publisher`, as an administrator and a publisher use them."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.shell import start_shell

pytestmark = pytest.mark.requirement("3.2")

CONFIG = 'tools = true\n[[apps]]\nid = "desk.feed"\nname = "Feed"\n'
DENY = '[[rules]]\npermission = "network"\neffect = "deny"\n'


def deskbus(*words: object) -> tuple[int, Any, str]:
    command = [sys.executable, "-m", "deskbus", *map(str, words)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return ran.returncode, json.loads(ran.stdout or "null"), ran.stderr


async def test_a_policy_is_checked_put_in_place_and_reloaded(
    tmp_path: Path, anyio_backend: str
) -> None:
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG):
        code, status, _ = deskbus("policy", "status", "--data-dir", data)
        assert (code, status["status"]["rules"]) == (0, 0)
        (data / "policy.toml").write_text(DENY)
        code, checked, _ = deskbus("policy", "check", data / "policy.toml")
        assert (code, checked["rules"]) == (0, 1)
        code, status, _ = deskbus("policy", "reload", "--data-dir", data)
        assert status["status"]["hash"] == checked["hash"]
        (data / "policy.toml").write_text(DENY + "x")
        assert deskbus("policy", "check", data / "policy.toml")[0] == 1
        code, _, words = deskbus("policy", "reload", "--data-dir", data)
        assert code == 1
        assert "was not changed" in words


async def test_an_app_that_its_publisher_signed_is_installed_and_a_changed_one_is_not(
    tmp_path: Path, anyio_backend: str
) -> None:
    app, key, data = tmp_path / "app", tmp_path / "key", tmp_path / "data"
    app.mkdir()
    (app / "index.html").write_text("one")
    manifest = {"id": "desk.signed", "name": "Signed", "windows": [{"url": "index.html"}]}
    (app / "app.json").write_text(json.dumps(manifest))
    code, made, _ = deskbus("publisher", "keygen", key)
    assert len(base64.b64decode(made["publisherKey"])) == 32
    assert key.stat().st_mode & 0o777 == 0o600
    assert deskbus("publisher", "keygen", key)[0] == 1
    assert deskbus("publisher", "sign", app / "app.json", key)[0] == 0
    async with start_shell(data, config=CONFIG):
        code, _, _ = deskbus("apps", "install", app / "app.json", "--data-dir", data)
        assert code == 0
        (app / "index.html").write_text("two")
        code, _, words = deskbus("apps", "install", app / "app.json", "--data-dir", data)
        assert code == 1
        assert "signature does not fit" in words


NO_PAGE = '{"id": "desk.new",\n"name": "New",\n"windows": [{"url": "missing.html"}]}'
NO_PROGRAM = '{"id": "desk.new", "name": "New",\n"process": {"kind": "python",\n"entry": "no.py"}}'
NO_PERMISSION = (
    '{"id": "desk.new", "name": "New",\n"windows": [{"url": "index.html"}],\n"declares": ['
    '\n{"permission": "messaging.reed", "scope": "a"}]}'
)
NOT_SIGNED = (
    '{"id": "desk.new", "name": "New", "windows": [{"url": "index.html"}],\n'
    f'"publisher_key": "{"A" * 43}=",\n"signature": "{"A" * 86}=="}}'
)


async def test_what_is_wrong_with_a_manifest_is_named_with_its_line(
    tmp_path: Path, anyio_backend: str
) -> None:
    app, data = tmp_path / "app", tmp_path / "data"
    app.mkdir()
    (app / "index.html").write_text("one")
    file, key = app / "app.json", tmp_path / "key"
    deskbus("publisher", "keygen", key)
    async with start_shell(data, config=CONFIG):
        for text, told in [
            (NO_PAGE, f"{file}:3: windows[0].url: desk.new: the page {app}/missing.html is not"),
            (NO_PROGRAM, f"{file}:3: process.entry: desk.new: the program {app}/no.py is not"),
            (NO_PERMISSION, f"{file}:4: declares[0].permission: there is no permission"),
            (NOT_SIGNED, f"{file}:3: desk.new is refused: its publisher's signature"),
        ]:
            file.write_text(text)
            code, _, words = deskbus("apps", "install", file, "--data-dir", data)
            assert (code, told in words) == (1, True), words
    for text, told in [
        (NO_PAGE, f"{file}:3: windows[0].url: desk.new: the page"),
        ('{"id": "desk.new",\n"name": oops}', f"{file}:2: It is not JSON"),
        ("[1]", f"{file}: Expected `object`, got `array`"),
    ]:
        file.write_text(text)
        code, _, words = deskbus("publisher", "sign", file, key)
        assert (code, told in words) == (1, True), words
        assert file.read_text() == text
    code, _, words = deskbus("publisher", "sign", file, app / "index.html")
    assert (code, f"{app / 'index.html'}: it is no private key" in words) == (1, True), words


async def test_an_app_whose_id_looks_like_another_is_not_installed(
    tmp_path: Path, anyio_backend: str
) -> None:
    (tmp_path / "index.html").write_text("one")
    manifest = {"id": "desk.fe-ed", "name": "Feed", "windows": [{"url": "index.html"}]}
    (tmp_path / "app.json").write_text(json.dumps(manifest))
    data = tmp_path / "data"
    async with start_shell(data, config=CONFIG):
        code, _, words = deskbus("apps", "install", tmp_path / "app.json", "--data-dir", data)
    assert code == 1
    assert "looks like desk.feed" in words
