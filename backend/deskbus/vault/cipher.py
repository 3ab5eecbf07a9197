"""Seals values: AES-256-GCM under a key derived for each value alone, with key commitment.

A sealed value is a header, then one ciphertext (suite 1) or chunks (suite 2, the STREAM
construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015):

    magic "DVLT" · version 1 · suite 1 · key id 8 · salt 32 · nonce 12 · commitment 32

HKDF-SHA256 (RFC 5869) derives 64 bytes from the data key and the salt: the value's own key and the
commitment, so that no ciphertext opens under two keys. The header and the context are additional
data of every encryption. AES-GCM is NIST SP 800-38D's, with a tag of 16 bytes.

In every version the magic, the version, the suite and the key id are where they are here. A header
of another version whose commitment is what this version makes was damaged; others are newer.
"""

import hmac
import os
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deskbus.storage.newer_format import NewerFormatError

KEY_BYTES = 32
KEY_ID_BYTES = 8
CHUNK_BYTES = 64 * 1024
TAG_BYTES = 16

_MAGIC = b"DVLT"
_VERSION = 1
_WHOLE = 1
_CHUNKED = 2
_SALT_BYTES = 32
_COMMITMENT_BYTES = 32
_HEADER = struct.Struct(f">4sBB{KEY_ID_BYTES}s{_SALT_BYTES}s12s{_COMMITMENT_BYTES}s")
_LENGTHS = struct.Struct(">IIIQ")
_CHUNK_NONCE = struct.Struct(">7sIB")
HEADER_BYTES = _HEADER.size
_SHA256 = SHA256()
_BEGINNINGS = [_MAGIC + bytes((_VERSION, suite)) for suite in (_WHOLE, _CHUNKED)]
_INFO = {suite: b"deskbus vault %d.%d" % (_VERSION, suite) for suite in (_WHOLE, _CHUNKED)}
MAX_CHUNKS = 2**32

Secret = bytes | bytearray
"""Key material; a bytearray where somebody wipes it."""


class SealError(Exception):
    """A sealed value can't be opened. Why, and where it is damaged, is not told."""

    def __init__(self) -> None:
        super().__init__("this sealed value can't be opened")


class Context(NamedTuple):
    """The context of a sealed value, under which alone it opens again."""

    purpose: str
    app: str
    name: str
    generation: int

    def encode(self) -> bytes:
        """Unambiguous: every text goes with its length."""
        purpose, app, name = self.purpose.encode(), self.app.encode(), self.name.encode()
        lengths = _LENGTHS.pack(len(purpose), len(app), len(name), self.generation)
        return b"".join((lengths, purpose, app, name))


def new_key() -> bytearray:
    return bytearray(os.urandom(KEY_BYTES))


def new_key_id() -> bytes:
    return os.urandom(KEY_ID_BYTES)


def wipe(secret: bytearray) -> None:
    """Overwrites key material in place; copies that libraries made are out of reach."""
    secret[:] = bytes(len(secret))


def seal(key_id: bytes, key: Secret, context: Context, plaintext: Secret | memoryview) -> bytes:
    """The sealed form of `plaintext`; beyond 64 KiB it is made of chunks."""
    if len(plaintext) > CHUNK_BYTES:
        return b"".join(seal_chunks(key_id, key, context, _cut(plaintext)))
    header, aead, nonce = _begin(_WHOLE, key_id, key)
    return header + aead.encrypt(nonce, plaintext, header + context.encode())


def open_sealed(key: Secret, context: Context, sealed: bytes) -> bytes:
    """Opens a sealed value; raises `SealError`, and `NewerFormatError` for a later version's."""
    suite, aead, nonce = _read_header(key, sealed)
    bound = sealed[:HEADER_BYTES] + context.encode()
    with memoryview(sealed) as view:
        if suite == _WHOLE:
            return _decrypt(aead, nonce, view[HEADER_BYTES:], bound)
        return b"".join(_open_chunks(aead, nonce, _cut_sealed(view[HEADER_BYTES:]), bound))


def key_id_of(sealed: bytes) -> bytes:
    """The id of the key that opens it, before that is proven; raises `SealError`."""
    if len(sealed) < HEADER_BYTES + TAG_BYTES:
        raise SealError
    magic, _version, _suite, key_id, *_ = _HEADER.unpack_from(sealed)
    if magic != _MAGIC:
        raise SealError
    return bytes(key_id)


def is_of_this_version(sealed: bytes) -> bool:
    """Whether it says so; what is none at all is not."""
    return sealed[: len(_MAGIC) + 2] in _BEGINNINGS


def seal_chunks(
    key_id: bytes, key: Secret, context: Context, pieces: Iterable[Secret | memoryview]
) -> Iterator[bytes]:
    """Seals a stream: the header first, then one sealed chunk for each piece of it.

    Every piece but the last must have `CHUNK_BYTES`, the last at most that; a stream of no pieces
    is sealed as one empty chunk. The counter and the mark of the last chunk are in the nonce, so
    chunks can't be cut off, swapped, dropped or added.
    """
    header, aead, nonce = _begin(_CHUNKED, key_id, key)
    bound = header + context.encode()
    yield header
    waiting: Secret | memoryview = b""
    number = -1
    for piece in pieces:
        if number >= 0:
            yield aead.encrypt(_chunk_nonce(nonce, number, last=False), waiting, bound)
        waiting = piece
        number += 1
        if number >= MAX_CHUNKS:
            raise OverflowError("too long for one stream")
    yield aead.encrypt(_chunk_nonce(nonce, max(number, 0), last=True), waiting, bound)


def open_chunks(
    key: Secret, context: Context, header: bytes, chunks: Iterable[bytes]
) -> Iterator[bytes]:
    """Opens what `seal_chunks` sealed, piece by piece; raises `SealError`, `NewerFormatError`.

    Only when it has come to its end is it known that nothing was cut off: whoever reads must not
    act on the pieces before.
    """
    coming = iter(chunks)
    waiting = next(coming, b"")
    suite, aead, nonce = _read_header(key, header + waiting)
    if suite != _CHUNKED:
        raise SealError
    bound = header + context.encode()
    number = 0
    for chunk in coming:
        yield _decrypt(aead, _chunk_nonce(nonce, number, last=False), waiting, bound)
        waiting = chunk
        number += 1
    yield _decrypt(aead, _chunk_nonce(nonce, number, last=True), waiting, bound)


def _begin(suite: int, key_id: bytes, key: Secret) -> tuple[bytes, AESGCM, bytes]:
    random = os.urandom(_SALT_BYTES + 12)
    salt, nonce = random[:_SALT_BYTES], random[_SALT_BYTES:]
    own_key, commitment = _derive(suite, key, salt)
    header = _HEADER.pack(_MAGIC, _VERSION, suite, key_id, salt, nonce, commitment)
    return header, AESGCM(own_key), nonce


def _read_header(key: Secret, sealed: bytes) -> tuple[int, AESGCM, bytes]:
    key_id_of(sealed)
    _, version, suite, _, salt, nonce, commitment = _HEADER.unpack_from(sealed)
    if not is_of_this_version(sealed):
        _refuse(version, suite, [_derive(each, key, salt)[1] for each in _INFO], commitment)
    own_key, expected = _derive(suite, key, salt)
    if not hmac.compare_digest(commitment, expected):
        raise SealError
    return suite, AESGCM(own_key), nonce


def _refuse(version: int, suite: int, ours: list[bytes], commitment: bytes) -> NoReturn:
    """Raises `SealError` for a damaged header, `NewerFormatError` for one of a later version."""
    is_ours = any(hmac.compare_digest(commitment, each) for each in ours)
    if is_ours or (version, suite) < (_VERSION, _CHUNKED):
        raise SealError
    raise NewerFormatError("a part of the vault")


def _derive(suite: int, key: Secret, salt: bytes) -> tuple[bytes, bytes]:
    derived = HKDF(_SHA256, KEY_BYTES + _COMMITMENT_BYTES, salt, _INFO[suite]).derive(key)
    return derived[:KEY_BYTES], derived[KEY_BYTES:]


def _chunk_nonce(nonce: bytes, number: int, *, last: bool) -> bytes:
    return _CHUNK_NONCE.pack(nonce[:7], number, last)


def _open_chunks(
    aead: AESGCM, nonce: bytes, chunks: list[memoryview], bound: bytes
) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks):
        last = number == len(chunks) - 1
        yield _decrypt(aead, _chunk_nonce(nonce, number, last=last), chunk, bound)


def _decrypt(aead: AESGCM, nonce: bytes, sealed: bytes | memoryview, bound: bytes) -> bytes:
    try:
        return aead.decrypt(nonce, sealed, bound)
    except InvalidTag:
        raise SealError from None


def _cut(plaintext: Secret | memoryview) -> Iterator[memoryview]:
    view = memoryview(plaintext)
    for start in range(0, len(view), CHUNK_BYTES):
        yield view[start : start + CHUNK_BYTES]


def _cut_sealed(sealed: memoryview) -> list[memoryview]:
    size = CHUNK_BYTES + TAG_BYTES
    return [sealed[start : start + size] for start in range(0, len(sealed), size)]
