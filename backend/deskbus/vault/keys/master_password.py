"""Passwords that people think of: their spelling in bytes, and how strong they must be."""

import unicodedata
from collections.abc import Iterator

from deskbus.vault.cipher import wipe

MAX_BYTES = 1024
MIN_CHARACTERS = 8
MIN_DIFFERENT = 4

RULE = f"a new password has at least {MIN_CHARACTERS} characters, {MIN_DIFFERENT} of them different"


class WeakPasswordError(ValueError):
    """The message is the rule."""


def check_strength(password: bytes | bytearray) -> None:
    """Raises `WeakPasswordError`; `password` is UTF-8."""
    text = unicodedata.normalize("NFC", password.decode())
    if len(text) < MIN_CHARACTERS or len(set(text)) < MIN_DIFFERENT:
        raise WeakPasswordError(RULE)


def normalized(password: bytes | bytearray) -> bytearray:
    """The same in NFC: keyboards differ in how they compose an ö. For the caller to wipe.

    Bytes that are not UTF-8 stay as they are.
    """
    try:
        return bytearray(unicodedata.normalize("NFC", password.decode()).encode())
    except UnicodeDecodeError:
        return bytearray(password)


def spellings(password: bytes | bytearray) -> Iterator[bytearray]:
    """The candidates that may open a vault: NFC first, then the bytes as given, for older ones.

    The decomposed spelling comes last: of a vault that was made with it before this was settled.
    """
    seen: list[bytearray] = []
    try:
        for spelling in (normalized(password), bytearray(password), _decomposed(password)):
            if spelling not in seen:
                seen.append(spelling)
                yield spelling
    finally:
        for spelling in seen:
            wipe(spelling)


def _decomposed(password: bytes | bytearray) -> bytearray:
    try:
        return bytearray(unicodedata.normalize("NFD", password.decode()).encode())
    except UnicodeDecodeError:
        return bytearray(password)
