"""Fixtures for every test, and how long hypothesis looks: `--hypothesis-profile=long`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from tests.integration.secretservice import SecretService, secret_service

# No test touches the keychain of whoever runs it; those that need one start their own.
os.environ["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def absent(reason: str) -> NoReturn:
    """Skips on a developer's machine; in CI the set-up has installed it, so there it fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def keychain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    """A real, unlocked gnome-keyring, which the test and the programs that it starts find."""
    if shutil.which("gnome-keyring-daemon") is None:
        absent("there is no gnome-keyring here")
    with secret_service(tmp_path / "home") as started:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", started.env["DBUS_SESSION_BUS_ADDRESS"])
        started.start()
        yield started


settings.register_profile("short", max_examples=100, deadline=None)
settings.register_profile("long", max_examples=10_000, deadline=None)
settings.load_profile("short")
