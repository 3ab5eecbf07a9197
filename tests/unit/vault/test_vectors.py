"""Known answers: what the library computes is what the standards say."""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

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
    assert AESGCM(key).encrypt(nonce, text, extra) == sealed
    assert AESGCM(key).decrypt(nonce, sealed, extra) == text
    with pytest.raises(InvalidTag):
        AESGCM(key).decrypt(nonce, sealed[:-1] + bytes([sealed[-1] ^ 1]), extra)


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
    assert HKDF(SHA256(), length, salt, info).derive(secret) == hx(derived)


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
    assert PBKDF2HMAC(SHA256(), length, salt, rounds).derive(password) == hx(derived)


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
