"""PermissionRecords: every decision, as the settings panel shows and revokes it."""

from typing import Protocol

from deskbus.languages.language import Language
from deskbus_protocol.permissions import PermissionList


class PermissionRecords(Protocol):
    """The permission records as a panel shows and revokes them."""

    def records(self, language: Language) -> PermissionList: ...

    async def revoke(self, app: str, permission: str | None, scope: str | None) -> int: ...

    async def reset_embargo(self, app: str, permission: str | None) -> int: ...
