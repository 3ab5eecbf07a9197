"""AES-256-GCM and HKDF-SHA256 as the standards write them, slow and without any library of ours.

`test_vectors` proves them by the standards' own examples, and our cipher by them.
"""

import hashlib
import hmac
from itertools import count

BLOCK = 16
ROUNDS = 14
_REDUCTION = 0xE1 << 120


def hkdf_sha256(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, sections 2.2 and 2.3."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    output = block = b""
    for number in count(1):
        if len(output) >= length:
            return output[:length]
        block = hmac.digest(key, block + info + bytes([number]), "sha256")
        output += block
    raise AssertionError


def pbkdf2_sha256(password: bytes, salt: bytes, rounds: int, length: int) -> bytes:
    """RFC 8018, section 5.2."""
    return hashlib.pbkdf2_hmac("sha256", password, salt, rounds, length)


def gcm_encrypt(key: bytes, nonce: bytes, text: bytes, extra: bytes) -> bytes:
    """NIST SP 800-38D, section 7.1, for a nonce of 12 bytes: the ciphertext, then the tag."""
    cipher = Aes256(key)
    start = nonce + (1).to_bytes(4, "big")
    pieces = []
    for number in range(0, len(text), BLOCK):
        counter = nonce + (number // BLOCK + 2).to_bytes(4, "big")
        pieces.append(_xor(text[number : number + BLOCK], cipher.encrypt(counter)))
    sealed = b"".join(pieces)
    covered = _padded(extra) + _padded(sealed)
    covered += (len(extra) * 8).to_bytes(8, "big") + (len(sealed) * 8).to_bytes(8, "big")
    return sealed + _xor(_ghash(cipher.encrypt(bytes(BLOCK)), covered), cipher.encrypt(start))


class Aes256:
    """FIPS 197, one block at a time."""

    def __init__(self, key: bytes) -> None:
        words = [key[at : at + 4] for at in range(0, 32, 4)]
        constant = 1
        for at in range(8, 4 * (ROUNDS + 1)):
            word = words[-1]
            if at % 8 == 0:
                word = bytes(_SBOX[each] for each in word[1:] + word[:1])
                word = bytes([word[0] ^ constant]) + word[1:]
                constant = _double(constant)
            elif at % 8 == 4:
                word = bytes(_SBOX[each] for each in word)
            words.append(_xor(words[at - 8], word))
        self._keys = [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]

    def encrypt(self, block: bytes) -> bytes:
        state = _xor(block, self._keys[0])
        for number in range(1, ROUNDS + 1):
            state = bytes(_SBOX[state[(5 * at) % BLOCK]] for at in range(BLOCK))
            if number < ROUNDS:
                state = b"".join(_mixed(state[at : at + 4]) for at in range(0, BLOCK, 4))
            state = _xor(state, self._keys[number])
        return state


def _mixed(column: bytes) -> bytes:
    every = column[0] ^ column[1] ^ column[2] ^ column[3]
    return bytes(column[at] ^ every ^ _double(column[at] ^ column[(at + 1) % 4]) for at in range(4))


def _double(value: int) -> int:
    return (value << 1 ^ (0x11B if value & 0x80 else 0)) & 0xFF


def _times(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left, right = _double(left), right >> 1
    return product


def _substitute(value: int) -> int:
    inverse = next((each for each in range(256) if _times(value, each) == 1), 0)
    turned = 0
    for shift in range(5):
        turned ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
    return turned ^ 0x63


_SBOX = [_substitute(value) for value in range(256)]


def _ghash(key: bytes, data: bytes) -> bytes:
    hashed, factor = 0, int.from_bytes(key, "big")
    for at in range(0, len(data), BLOCK):
        hashed = _multiplied(hashed ^ int.from_bytes(data[at : at + BLOCK], "big"), factor)
    return hashed.to_bytes(BLOCK, "big")


def _multiplied(left: int, right: int) -> int:
    product = 0
    for bit in range(127, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_REDUCTION if right & 1 else 0)
    return product


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))
