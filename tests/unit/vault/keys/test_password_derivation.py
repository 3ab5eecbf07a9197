"""Keys out of passwords: strong parameters, and none outside their bounds."""

import time

import msgspec
import pytest

from deskbus.vault.cipher import SealError
from deskbus.vault.keys import password_derivation
from deskbus.vault.keys.password_derivation import Derivation, new_derivation

SALT = b"s" * 16


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("algorithm", ["argon2id", "pbkdf2-sha256"])
def test_the_same_password_gives_the_same_key_and_another_another(
    algorithm: password_derivation.Algorithm,
) -> None:
    how = new_derivation(algorithm)
    key = how.derive(b"correct horse")
    assert len(key) == 32
    assert how.derive(bytearray(b"correct horse")) == key
    assert how.derive(b"correct hors") != key
    assert new_derivation(algorithm).derive(b"correct horse") != key


def test_the_defaults_are_those_of_the_standards() -> None:
    how = new_derivation("argon2id")
    assert (how.memory_kib, how.passes, how.lanes) == (64 * 1024, 3, 4)
    assert new_derivation("pbkdf2-sha256").passes >= 600_000


def test_without_argon2_the_alternative_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password_derivation, "has_argon2", lambda: False)
    assert new_derivation().algorithm == "pbkdf2-sha256"


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("value", [-1, 0, 1, 2**31, 2**63])
@pytest.mark.parametrize(
    ("algorithm", "field"),
    [
        ("argon2id", "passes"),
        ("argon2id", "memory_kib"),
        ("argon2id", "lanes"),
        ("pbkdf2-sha256", "passes"),
    ],
)
def test_parameters_out_of_bounds_are_refused_at_once(
    algorithm: password_derivation.Algorithm, field: str, value: int
) -> None:
    how = msgspec.structs.replace(new_derivation(algorithm), **{field: value})
    started = time.process_time()
    with pytest.raises(SealError):
        how.derive(b"password")
    assert time.process_time() - started < 0.05


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(SealError):
        Derivation(algorithm="pbkdf2-sha256", salt=b"", passes=600_000).derive(b"x")
