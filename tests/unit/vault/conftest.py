"""The folder of a vault that is not there yet, and passwords that cost nothing."""

from pathlib import Path

import pytest

from deskbus.vault.keys import password_derivation
from tests.support.files_in_memory import tmp_path

__all__ = ["tmp_path"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of a password costs a millisecond, for tests that derive hundreds."""
    monkeypatch.setattr(password_derivation, "ARGON2_MEMORY_KIB", (64, 1024 * 1024))
