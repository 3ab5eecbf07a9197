"""Publishers' signatures (Ed25519, RFC 8032) over what an app consists of."""

import base64
import binascii
import hashlib

KEY_BYTES = 32

_DOMAIN = b"deskbus app signature 1\n"


def sign(private_key: bytes, content: str) -> str:
    """The signature, in base64, of an app's content hash. `private_key` has 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(private_key)
    return base64.b64encode(key.sign(_DOMAIN + content.encode())).decode()


def public_key(private_key: bytes) -> str:
    """In base64, as a manifest has it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(private_key)
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def is_signed(key: str, signature: str, content: str) -> bool:
    """Whether the key's owner has signed this content hash; false for whatever is malformed."""
    # Imported with the first signed app: a start does not wait for it.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(key, validate=True)
        Ed25519PublicKey.from_public_bytes(raw).verify(
            base64.b64decode(signature, validate=True), _DOMAIN + content.encode()
        )
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def fingerprint(key: str) -> str:
    """A publisher's key, short enough to compare by eye."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]
