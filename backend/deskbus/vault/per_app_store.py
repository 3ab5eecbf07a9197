"""Larger values in the vault, one for each app."""

from deskbus.vault.keys.keyset import Purpose
from deskbus.vault.records.sealed_records import Name
from deskbus.vault.service import VaultService
from deskbus_protocol.errors import TOO_LARGE, DeskbusError


class PerAppStore:
    """One value of each app, as its saved state: `PerAppStore(vault, "appstate", 1024 * 1024)`.

    Every method raises `DeskbusError`: unavailable while the vault is locked, conflict for a value
    that was changed from outside. Without a keychain values are in memory only, and gone at the
    end.
    """

    def __init__(self, vault: VaultService, purpose: Purpose, limit_bytes: int) -> None:
        self._vault = vault
        self._purpose = purpose
        self._limit_bytes = limit_bytes

    async def load(self, app: str) -> bytes | None:
        """The value that the app saved last; None where there is none."""
        return await self._vault.kept(self._name(app))

    async def save(self, app: str, content: bytes) -> bool:
        """Returns False where it is kept in memory only. Raises too_large beyond the limit."""
        if len(content) > self._limit_bytes:
            raise DeskbusError(TOO_LARGE, f"An app may keep {self._limit_bytes} bytes here.")
        return await self._vault.keep(self._name(app), content)

    async def clear(self, app: str) -> bool:
        """Removes the app's value; returns whether there was one."""
        return await self._vault.forget(self._name(app))

    def _name(self, app: str) -> Name:
        return Name(self._purpose, app, "value")
