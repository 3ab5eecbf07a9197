"""Master passwords: one spelling for what looks the same, and a rule for new ones."""

import unicodedata

import pytest

from deskbus.vault.cipher import SealError, new_key, new_key_id
from deskbus.vault.keys.kek_providers import PasswordKekProvider
from deskbus.vault.keys.master_password import WeakPasswordError, check_strength
from deskbus.vault.keys.password_derivation import new_derivation

WORDS = "pässwörter"
NFC = bytearray(unicodedata.normalize("NFC", WORDS).encode())
NFD = bytearray(unicodedata.normalize("NFD", WORDS).encode())

pytestmark = pytest.mark.requirement("3.3")


@pytest.mark.parametrize(("made", "typed"), [(NFC, NFD), (NFD, NFC), (NFD, NFD)])
def test_a_password_opens_however_the_keyboard_composes_it(
    made: bytearray, typed: bytearray
) -> None:
    key = new_key()
    head = PasswordKekProvider.new(made).head("here", new_key_id(), key)
    assert PasswordKekProvider.open(head, typed)[1] == key


@pytest.mark.parametrize("typed", [NFC, NFD])
def test_a_vault_that_was_made_with_the_bytes_as_they_were_still_opens(typed: bytearray) -> None:
    key, derivation = new_key(), new_derivation()
    head = PasswordKekProvider(derivation, derivation.derive(NFD)).head("here", new_key_id(), key)
    assert PasswordKekProvider.open(head, typed)[1] == key
    with pytest.raises(SealError):
        PasswordKekProvider.open(head, bytearray(b"passworter"))


@pytest.mark.parametrize("weak", [b"", b"x", b"1234567", b"aaaaaaaaaaaa", b"abababababab"])
def test_a_weak_password_is_refused_with_the_rule(weak: bytes) -> None:
    with pytest.raises(WeakPasswordError, match="8 characters, 4 of them different"):
        check_strength(weak)


def test_a_strong_password_is_taken() -> None:
    check_strength(b"correct horse")
