"""An operator, an account and a user of NATS, each vouched for by the one before."""

import os
import time
from base64 import b32encode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import msgspec
import nkeys

WITHOUT_LIMIT = {
    "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True,
    "conn": -1, "leaf": -1,
}  # fmt: skip
JETSTREAM = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}


def operated(folder: Path) -> tuple[Path, str]:
    """A server's configuration, and what the user's `.creds` file would have in it."""
    operator, _ = _pair(nkeys.PREFIX_BYTE_OPERATOR)
    account, _ = _pair(nkeys.PREFIX_BYTE_ACCOUNT)
    system, _ = _pair(nkeys.PREFIX_BYTE_ACCOUNT)
    user, seed = _pair(nkeys.PREFIX_BYTE_USER)
    operators = _token(operator, operator, {"type": "operator"})
    # JetStream wants an account of the server's own, and does not serve it.
    limits = {account: WITHOUT_LIMIT | JETSTREAM, system: WITHOUT_LIMIT}
    accounts = {
        each.public_key.decode(): _token(operator, each, {"type": "account", "limits": most})
        for each, most in limits.items()
    }
    users = _token(account, user, {"type": "user", "subs": -1, "data": -1, "payload": -1})
    rules = folder / "operator.conf"
    known = ", ".join(f"{name}: {token}" for name, token in accounts.items())
    rules.write_text(
        f"operator: {operators}\nsystem_account: {system.public_key.decode()}\n"
        f"resolver: MEMORY\nresolver_preload: {{ {known} }}\n"
    )
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{users}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed.decode()}\n------END USER NKEY SEED------\n"
    )
    return rules, credentials


def _pair(kind: int) -> tuple[nkeys.KeyPair, bytes]:
    seed = bytes(nkeys.encode_seed(os.urandom(32), kind))
    # The key pair wipes what it was made of.
    return nkeys.from_seed(bytearray(seed)), seed


def _token(issuer: nkeys.KeyPair, subject: nkeys.KeyPair, claims: dict[str, object]) -> str:
    """A JWT of NATS, version 2."""
    body = {
        "iat": int(time.time()),
        "iss": issuer.public_key.decode(),
        "name": str(claims["type"]),
        "sub": subject.public_key.decode(),
        "nats": {**claims, "version": 2},
    }
    body["jti"] = b32encode(sha256(msgspec.json.encode(body)).digest()).rstrip(b"=").decode()
    head = {"typ": "JWT", "alg": "ed25519-nkey"}
    signed = b".".join(_plain(msgspec.json.encode(part)) for part in (head, body))
    return b".".join((signed, _plain(issuer.sign(signed)))).decode()


def _plain(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
