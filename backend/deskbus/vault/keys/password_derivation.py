"""A key out of a password: Argon2id (RFC 9106), or PBKDF2-HMAC-SHA256 (RFC 8018)."""

import os
from typing import Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from deskbus.vault.cipher import KEY_BYTES, SealError

Algorithm = Literal["argon2id", "pbkdf2-sha256"]

SALT_BYTES = 16
ARGON2_MEMORY_KIB = (64 * 1024, 1024 * 1024)
ARGON2_PASSES = (3, 16)
ARGON2_LANES = (4, 16)
PBKDF2_ROUNDS = (600_000, 10_000_000)
"""Lowest and highest that is accepted: an edited file makes the key neither weak nor endless."""


class Derivation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters by which a key was derived. `memory_kib` and `lanes` are Argon2id's, zero for
    PBKDF2.
    """

    algorithm: Algorithm
    salt: bytes
    passes: int
    memory_kib: int = 0
    lanes: int = 0

    def derive(self, password: bytes | bytearray) -> bytearray:
        """The key of 32 bytes; raises `SealError` at once for parameters out of bounds."""
        self._check()
        if self.algorithm == "pbkdf2-sha256":
            derived = PBKDF2HMAC(SHA256(), KEY_BYTES, self.salt, self.passes).derive(password)
            return bytearray(derived)
        # Imported here: no older version of the library has it.
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        return bytearray(
            Argon2id(
                salt=self.salt,
                length=KEY_BYTES,
                iterations=self.passes,
                lanes=self.lanes,
                memory_cost=self.memory_kib,
            ).derive(bytes(password))
        )

    def _check(self) -> None:
        if self.algorithm == "argon2id":
            checks = [
                (self.passes, ARGON2_PASSES),
                (self.memory_kib, ARGON2_MEMORY_KIB),
                (self.lanes, ARGON2_LANES),
            ]
        else:
            checks = [
                (self.passes, PBKDF2_ROUNDS),
                (self.memory_kib, (0, 0)),
                (self.lanes, (0, 0)),
            ]
        sound = all(low <= value <= high for value, (low, high) in checks)
        if not sound or len(self.salt) != SALT_BYTES:
            raise SealError


def new_derivation(algorithm: Algorithm | None = None) -> Derivation:
    """Argon2id with RFC 9106's second recommended option, or PBKDF2 where it is not to be had."""
    if algorithm is None:
        algorithm = "argon2id" if has_argon2() else "pbkdf2-sha256"
    salt = os.urandom(SALT_BYTES)
    if algorithm == "pbkdf2-sha256":
        return Derivation(algorithm=algorithm, salt=salt, passes=PBKDF2_ROUNDS[0])
    return Derivation(
        algorithm=algorithm,
        salt=salt,
        passes=ARGON2_PASSES[0],
        memory_kib=ARGON2_MEMORY_KIB[0],
        lanes=ARGON2_LANES[0],
    )


def has_argon2() -> bool:
    """Whether the installed library and the OpenSSL below it know Argon2id."""
    try:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        Argon2id(salt=bytes(SALT_BYTES), length=KEY_BYTES, iterations=1, lanes=1, memory_cost=8)
    except (ImportError, UnsupportedAlgorithm):
        return False
    return True
