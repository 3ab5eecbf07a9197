"""How bodies of batches with sensitive topics are encrypted; somebody else has the keys."""

from collections.abc import Iterable
from typing import Protocol


class SealingError(OSError):
    """The key can't be had now. What was to be sealed waits; it is never written plain."""


class UnsealableError(Exception):
    """A sealed body was changed."""


class Sealer(Protocol):
    """Methods block. A body is bound to the position of its batch's first message."""

    def covers(self, topics: Iterable[str]) -> bool:
        """Whether one of the topics is sensitive."""
        ...

    def seal(self, body: bytes, first_position: int) -> bytes:
        """Raises `SealingError`."""
        ...

    def unseal(self, body: bytes, first_position: int) -> bytes:
        """Raises `SealingError`, `UnsealableError`."""
        ...
