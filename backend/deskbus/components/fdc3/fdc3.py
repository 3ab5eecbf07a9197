"""Fdc3: FDC3 as the other components see it, where it is on and where it is off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn, Protocol

from deskbus.contracts.component import Component
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.health import ComponentHealth

if TYPE_CHECKING:
    from deskbus.components.fdc3.browser_desktops import BrowserDesktops
    from deskbus.fdc3.dacp.service import Fdc3Service


class Fdc3(Component, Protocol):
    """Where it is off, what asks for it raises `DeskbusError` (unavailable)."""

    def here(self) -> "Fdc3Service": ...

    def browsers(self) -> "BrowserDesktops": ...

    def may_join(self, only_app: str, identity: ClientId) -> bool:
        """Whether a client of another app may have its session on this app's socket."""

    async def choose_channel(self, identity: ClientId) -> None:
        """Has a person choose the user channel of a window."""

    def health(self) -> ComponentHealth: ...


class Fdc3Off:
    """In the agent's place, so that a start without FDC3 imports nothing of it."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield

    def here(self) -> NoReturn:
        raise DeskbusError(
            UNAVAILABLE,
            "FDC3 is switched off here.",
            action="An administrator adds a section [fdc3] to the configuration.",
        )

    def browsers(self) -> NoReturn:
        self.here()

    def may_join(self, only_app: str, identity: ClientId) -> bool:
        return False

    async def choose_channel(self, identity: ClientId) -> NoReturn:
        self.here()

    def health(self) -> ComponentHealth:
        return ComponentHealth(status="off", detail="no [fdc3] in the configuration")
