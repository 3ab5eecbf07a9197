"""ResumeTokens: one-time tokens by which a client takes its session up after a lost link."""

import hashlib
import secrets
from typing import Generic, TypeVar

from deskbus_protocol.envelope import ClientId

R = TypeVar("R")

TOKEN_BYTES = 32


class ResumeTokens(Generic[R]):
    """One token a client, each for a role. Only digests are kept, so memory tells no token."""

    def __init__(self) -> None:
        self._issued: dict[bytes, tuple[R, ClientId]] = {}
        self._digest_of: dict[ClientId, bytes] = {}

    def __len__(self) -> int:
        """The number of clients that could resume their session."""
        return len(self._digest_of)

    def issue(self, role: R, identity: ClientId) -> str:
        """A token for this client's next connection; an earlier one is void."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self.revoke(identity)
        digest = self._digest_of[identity] = _digest(token)
        self._issued[digest] = role, identity
        return token

    def revoke(self, identity: ClientId) -> None:
        """The client can't come back any more, or comes back by another token."""
        self._issued.pop(self._digest_of.pop(identity, b""), None)

    def redeem(self, token: str) -> tuple[R, ClientId] | None:
        """A token's role and identity, once; None for one that is unknown, used or void."""
        found = self._issued.pop(_digest(token), None)
        if found is not None:
            self._digest_of.pop(found[1], None)
        return found

    def give_back(self, token: str, role: R, identity: ClientId) -> None:
        """Makes a redeemed token good again, unless the client has another by now."""
        if identity not in self._digest_of:
            digest = self._digest_of[identity] = _digest(token)
            self._issued[digest] = role, identity


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
