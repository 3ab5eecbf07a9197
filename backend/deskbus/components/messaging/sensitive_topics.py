"""Joins the log of messages with the vault: bodies with sensitive topics are sealed by it."""

from collections.abc import Iterable
from functools import lru_cache

from deskbus.persistence.batch_sealer import Readiness, SealingError, UnsealableError
from deskbus.storage.newer_format import NewerFormatError
from deskbus.vault.cipher import SealError
from deskbus.vault.keys.kek_providers import VaultLockedError
from deskbus.vault.vault import Vault
from deskbus_protocol.secrets import VaultState
from deskbus_protocol.topics import matches

KNOWN_TOPICS = 10_000
SEAL_WITHIN_S = 0.5
"""The vault may be waiting for a keychain; the log, with all else in it, does not."""

READINESS: dict[VaultState, Readiness] = {
    "unlocked": "ready",
    "closed": "unopened",
    "locked": "locked",
    "memory": "none",
}


class SensitiveTopics:
    """A `BatchSealer` for topics that fit one of the patterns. Called on the log's own threads."""

    def __init__(self, vault: Vault, patterns: Iterable[str]) -> None:
        self._vault = vault
        self._patterns = tuple(patterns)
        self._fits = lru_cache(KNOWN_TOPICS)(self._matches)

    def covers(self, topics: Iterable[str]) -> bool:
        return any(self._fits(topic) for topic in topics)

    @property
    def readiness(self) -> Readiness:
        return READINESS[self._vault.state]

    @property
    def why(self) -> str:
        state = self._vault.state
        if state == "memory":
            return "there is no keychain and no master password"
        return f"the vault is locked: {self._vault.status().detail}" if state == "locked" else ""

    def look(self) -> None:
        try:
            if self._vault.opens_unasked:
                self._vault.open()
        except VaultLockedError:
            return

    def open(self) -> None:
        try:
            self._vault.open()
        except VaultLockedError as error:
            raise SealingError(f"the vault is locked: {error.why}") from None

    def seal(self, body: bytes, first_position: int) -> bytes:
        if self.readiness in ("locked", "none"):
            raise SealingError(self.why)
        try:
            return self._vault.seal("messages", str(first_position), body, SEAL_WITHIN_S)
        except VaultLockedError as error:
            raise SealingError(f"the vault is locked: {error.why}") from None
        except (SealError, OSError):
            raise SealingError("the vault can't be read or written") from None

    def unseal(self, body: bytes, first_position: int) -> bytes:
        try:
            return self._vault.unseal("messages", str(first_position), body)
        except VaultLockedError as error:
            raise SealingError(f"the vault is locked: {error.why}") from None
        except NewerFormatError as error:
            raise SealingError(error.words) from None
        except SealError:
            raise UnsealableError from None

    def _matches(self, topic: str) -> bool:
        return any(matches(pattern, topic) for pattern in self._patterns)
