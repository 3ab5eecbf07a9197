"""BatchSealer: encryption of batches with sensitive topics; the vault has the keys."""

from collections.abc import Iterable
from typing import Literal, Protocol

Readiness = Literal["ready", "unopened", "locked", "none"]
"""`unopened`: nobody has needed the keys yet. `none`: there is no place for keys at all."""

WithoutVault = Literal["refuse", "memory"]
"""The fate of sensitive messages while they can't be encrypted."""


class SealingError(OSError):
    """The key can't be had now. The batch waits; it is never written in plain text."""


class UnsealableError(Exception):
    """A sealed body was changed."""


class BatchSealer(Protocol):
    """A body is bound to the position of its batch's first message."""

    def covers(self, topics: Iterable[str]) -> bool:
        """Whether one of the topics is sensitive."""
        ...

    @property
    def readiness(self) -> Readiness:
        """Asks nobody and waits for nothing; for any thread."""
        ...

    @property
    def why(self) -> str:
        """In words, why nothing can be sealed; empty where it can, or nobody knows."""
        ...

    def look(self) -> None:
        """Finds out how ready it is, as far as nobody need be asked; blocks."""
        ...

    def open(self) -> None:
        """Makes it ready if it can; blocks, perhaps on a person. Raises `SealingError`."""
        ...

    def seal(self, body: bytes, first_position: int) -> bytes:
        """Raises `SealingError` where it is not ready, or not in time."""
        ...

    def unseal(self, body: bytes, first_position: int) -> bytes:
        """Blocks; raises `SealingError`, `UnsealableError`."""
        ...
