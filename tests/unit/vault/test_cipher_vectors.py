"""Known answers: our cipher and derivations give what the standards say.

The published vectors prove `reference`, which shares nothing with the product; what our own code
seals and derives is then held against that, and against records that were frozen once.
"""

import os
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from deskbus.vault import cipher
from deskbus.vault.cipher import CHUNK_BYTES, Context, open_sealed, seal
from deskbus.vault.keys.password_derivation import Derivation
from tests.unit.vault.reference import gcm_encrypt, hkdf_sha256, pbkdf2_sha256

hx = bytes.fromhex

GCM_KEY = hx("feffe9928665731c6d6a8f9467308308" * 2)
GCM_NONCE = hx("cafebabefacedbaddecaf888")
GCM_TEXT = hx(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
GCM_CIPHER = hx(
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(
    ("key", "nonce", "text", "extra", "sealed"),
    [
        pytest.param(
            bytes(32), bytes(12), b"", b"", hx("530f8afbc74536b9a963b4f1c4cb738b"), id="13"
        ),
        pytest.param(
            bytes(32),
            bytes(12),
            bytes(16),
            b"",
            hx("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
            id="14",
        ),
        pytest.param(
            GCM_KEY,
            GCM_NONCE,
            GCM_TEXT,
            b"",
            GCM_CIPHER + hx("b094dac5d93471bdec1a502270e3cc6c"),
            id="15",
        ),
        pytest.param(
            GCM_KEY,
            GCM_NONCE,
            GCM_TEXT[:60],
            hx("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
            GCM_CIPHER[:60] + hx("76fc6ece0f4e1768cddf8853bb2d551b"),
            id="16",
        ),
    ],
)
def test_aes_256_gcm_test_cases_of_its_specification(
    key: bytes, nonce: bytes, text: bytes, extra: bytes, sealed: bytes
) -> None:
    """The GCM specification submitted to NIST (McGrew and Viega), test cases 13 to 16."""
    assert gcm_encrypt(key, nonce, text, extra) == sealed
    assert cipher._decrypt(AESGCM(key), nonce, sealed, extra) == text
    with pytest.raises(cipher.SealError):
        cipher._decrypt(AESGCM(key), nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), extra)


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(
    ("secret", "salt", "info", "length", "derived"),
    [
        pytest.param(
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            42,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            id="A.1",
        ),
        pytest.param(
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            82,
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87",
            id="A.2",
        ),
        pytest.param(
            b"\x0b" * 22,
            b"",
            b"",
            42,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            id="A.3",
        ),
    ],
)
def test_hkdf_sha256_of_rfc_5869(
    secret: bytes, salt: bytes, info: bytes, length: int, derived: str
) -> None:
    assert hkdf_sha256(secret, salt, info, length) == hx(derived)


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(
    ("password", "salt", "rounds", "length", "derived"),
    [
        pytest.param(
            b"passwd",
            b"salt",
            1,
            64,
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
            "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
            id="RFC 7914, 11, first",
        ),
        pytest.param(
            b"Password",
            b"NaCl",
            80_000,
            64,
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
            "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
            id="RFC 7914, 11, second",
        ),
    ],
)
def test_pbkdf2_hmac_sha256_of_rfc_7914(
    password: bytes, salt: bytes, rounds: int, length: int, derived: str
) -> None:
    assert pbkdf2_sha256(password, salt, rounds, length) == hx(derived)


@pytest.mark.requirement("3.3")
def test_argon2id_of_rfc_9106() -> None:
    """Section 5.3."""
    derived = Argon2id(
        salt=b"\x02" * 16,
        length=32,
        iterations=3,
        lanes=4,
        memory_cost=32,
        ad=b"\x04" * 12,
        secret=b"\x03" * 8,
    ).derive(b"\x01" * 32)
    assert derived == hx("0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659")


KEY = bytes(range(32))
KEY_ID = b"\x07" * 8
CONTEXT = Context("apps", "desk.feed", "token", 7)
SALT_AND_NONCE = bytes(range(100, 144))
PLAINTEXT = b"the plaintext of a secret"
STREAM = bytes(range(256)) * (CHUNK_BYTES // 256) + b"the last chunk"


FROZEN = {
    b"a frozen secret": hx(
        "44564c540101070707070707070733da4054a21b4c9e675c24ade06d4824ae574f790b33a21b7128"
        "184aa2f868e9e86cb71afb83c871c4bbe20612a4b51763eea79872d2af8bd9859672b4cdac64f3b1"
        "51c61c95182ada6c17fa91ab38988f11b276f22420d87747546b1b859b2610f27cdcaa9711c53f7e"
        "71"
    ),
    b"a frozen stream": hx(
        "44564c540102070707070707070774b492d76c15b33a6a7bac6d8a917567e60b2d4ae723babccc90"
        "0e299fde999bbfd993eb09cfa498371627d297e1975807234866cffa2ff9f98fc805e93a613443ba"
        "a8ba473af2640a67431a2566ab0686aff1a46aa516e7b59b4d95213f1e276a4a32dda0216b32f8bc"
        "bb"
    ),
}
"""A value and a stream of version 1, which every later version opens; never made anew."""


def expected(suite: int, pieces: list[bytes]) -> bytes:
    """A sealed value as the docstring of the cipher describes it, by the reference alone."""
    salt, nonce = SALT_AND_NONCE[:32], SALT_AND_NONCE[32:]
    derived = hkdf_sha256(KEY, salt, b"deskbus vault 1.%d" % suite, 64)
    header = b"DVLT" + bytes([1, suite]) + KEY_ID + salt + nonce + derived[32:]
    purpose, app, name = b"apps", b"desk.feed", b"token"
    bound = header + struct.pack(">IIIQ", 4, 9, 5, 7) + purpose + app + name
    if suite == 1:
        return header + gcm_encrypt(derived[:32], nonce, pieces[0], bound)
    sealed = [
        gcm_encrypt(
            derived[:32], nonce[:7] + struct.pack(">IB", at, at == len(pieces) - 1), piece, bound
        )
        for at, piece in enumerate(pieces)
    ]
    return header + b"".join(sealed)


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Salt and nonce are known, and nothing else of the cipher is another."""
    monkeypatch.setattr(os, "urandom", lambda size: SALT_AND_NONCE[:size])


@pytest.mark.requirement("3.3")
@pytest.mark.usefixtures("fixed")
@pytest.mark.parametrize("text", [b"", PLAINTEXT, b"x" * 1000])
def test_a_value_is_sealed_as_the_reference_seals_it(text: bytes) -> None:
    assert seal(KEY_ID, KEY, CONTEXT, text) == expected(1, [text])
    assert open_sealed(KEY, CONTEXT, expected(1, [text])) == text


@pytest.mark.requirement("3.3")
@pytest.mark.usefixtures("fixed")
def test_a_stream_is_sealed_as_the_reference_seals_it() -> None:
    sealed = expected(2, [STREAM[:CHUNK_BYTES], STREAM[CHUNK_BYTES:]])
    assert seal(KEY_ID, KEY, CONTEXT, STREAM) == sealed
    assert open_sealed(KEY, CONTEXT, sealed) == STREAM


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize("opened", FROZEN)
def test_a_frozen_record_opens_for_ever(opened: bytes) -> None:
    assert open_sealed(KEY, CONTEXT, FROZEN[opened]) == opened


@pytest.mark.requirement("3.3")
@pytest.mark.parametrize(
    ("derivation", "key"),
    [
        pytest.param(
            Derivation(algorithm="pbkdf2-sha256", salt=bytes(range(16)), passes=600_000),
            "d9253d6f042900871765bba230a03e1c792ea6c427f6eb31dd1ca72b6a1941ff",
            id="PBKDF2",
        ),
        pytest.param(
            Derivation(
                algorithm="argon2id", salt=bytes(range(16)), passes=3, memory_kib=65_536, lanes=4
            ),
            "5a045c3718bbaf4057330a841ee501af39ecfc11c426ca2280cf580b3ea925d1",
            id="Argon2id",
        ),
    ],
)
def test_a_password_gives_the_key_that_it_always_gave(derivation: Derivation, key: str) -> None:
    """PBKDF2's by `reference` too; Argon2id's by the library that RFC 9106's vector proves."""
    assert derivation.derive(b"a frozen password").hex() == key
    if derivation.algorithm == "pbkdf2-sha256":
        known = pbkdf2_sha256(b"a frozen password", derivation.salt, derivation.passes, 32)
        assert known.hex() == key
