"""SealedValue: one value that the vault keeps encrypted."""

from typing import Protocol


class SealedValue(Protocol):
    """Keeps content encrypted. Raises `DeskbusError` while its key can't be had."""

    @property
    def exists(self) -> bool:
        """Whether it may have kept anything; asks nobody."""
        ...

    async def load(self) -> bytes | None: ...

    async def save(self, content: bytes) -> bool:
        """False where it keeps nothing beyond the end of the process."""
        ...
