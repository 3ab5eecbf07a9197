"""Keys that go forward only: from one the next can be worked out, and never the one before.

A batch has one seed. It gives the key that signs the batch's checkpoint, the key that may begin a
new file in its place, and the first key of its records' MACs. The seed of the next batch is made
from it, and then it is wiped.
"""

import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES = 32


def new_seed() -> bytearray:
    return bytearray(secrets.token_bytes(SEED_BYTES))


def signing_key(seed: bytearray) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_derive(seed, b"sign"))


def recovery_key(seed: bytearray) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_derive(seed, b"recover"))


def first_mac_key(seed: bytearray) -> bytes:
    return _derive(seed, b"mac")


def next_mac_key(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def mac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")


def next_seed(seed: bytearray, steps: int = 1) -> bytearray:
    """The seed `steps` batches on; the one given stays as it is."""
    found = bytearray(seed)
    for _ in range(steps):
        found = bytearray(_derive(found, b"next"))
    return found


def wipe(seed: bytearray) -> None:
    """Overwrites it in place. Copies that the interpreter made are out of reach."""
    seed[:] = bytes(len(seed))


def _derive(seed: bytearray, label: bytes) -> bytes:
    return hmac.digest(bytes(seed), b"deskbus audit 1 " + label, "sha256")
