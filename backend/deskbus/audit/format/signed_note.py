"""Signed notes, as C2SP defines them (c2sp.org/signed-note), with Ed25519 signatures."""

import base64
import binascii
import hashlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "\N{EM DASH} "


class NoteError(ValueError):
    """Not a note, or not signed by the key that was asked for."""


def public_of(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def key_id(name: str, public: bytes) -> bytes:
    """The four bytes by which a signature names its key."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def format_key(name: str, public: bytes) -> str:
    """A verifier key in one line, as C2SP writes it: name+id+key."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(_ED25519 + public).decode()}"


def parse_key(text: str) -> tuple[str, bytes]:
    """The name and the public key of `format_key`; raises `NoteError`."""
    name, _, rest = text.strip().partition("+")
    found_id, _, encoded = rest.partition("+")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise NoteError("this is not a verifier key") from None
    if not name or len(key) != 33 or key[:1] != _ED25519:
        raise NoteError("this is not an Ed25519 verifier key")
    if key_id(name, key[1:]).hex() != found_id:
        raise NoteError("the verifier key is damaged: its id does not fit")
    return name, key[1:]


def sign(body: str, name: str, keys: Sequence[Ed25519PrivateKey]) -> str:
    """The note: `body`, which ends in a newline, and a signature by each key."""
    message = body.encode()
    lines = [
        _DASH
        + f"{name} "
        + base64.b64encode(key_id(name, public_of(key)) + key.sign(message)).decode()
        for key in keys
    ]
    return body + "\n" + "".join(f"{line}\n" for line in lines)


def split(note: str) -> tuple[str, list[str]]:
    """The body and the signature lines; raises `NoteError`."""
    body, blank, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if not blank or lines.pop() != "" or not lines:
        raise NoteError("this is not a signed note")
    if not all(line.startswith(_DASH) for line in lines):
        raise NoteError("a signature line is damaged")
    return body + "\n", lines


def verify(note: str, name: str, public: bytes) -> str:
    """The body of a note that this key has signed; raises `NoteError`."""
    body, lines = split(note)
    wanted = key_id(name, public)
    for line in lines:
        signer, _, encoded = line.removeprefix(_DASH).rpartition(" ")
        try:
            blob = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise NoteError("a signature line is damaged") from None
        if signer == name and blob[:4] == wanted:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(blob[4:], body.encode())
            except (InvalidSignature, ValueError):
                raise NoteError("the signature does not fit") from None
            return body
    raise NoteError("the key that should have signed has not")
