"""Fdc3: FDC3 as the other components see it, where it is on and where it is off."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NoReturn, Protocol

from deskbus.contracts.component import Component
from deskbus.languages.health_words import phrase, told
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.fdc3 import LastContext
from deskbus_protocol.health import ComponentHealth

if TYPE_CHECKING:
    from deskbus.components.fdc3.browser_desktops import BrowserDesktops
    from deskbus.fdc3.dacp.service import Fdc3Service


class Fdc3Layout(Protocol):
    """FDC3's part of a layout of the desk; see `ChannelLayout`."""

    def on_moved(self, tell: Callable[[ClientId, str | None], None]) -> None: ...

    def join(self, identity: ClientId, channel: str) -> None: ...

    def give_up(self, identity: ClientId) -> None: ...

    def last_contexts(
        self, is_sensitive: Callable[[str], bool], limit: int
    ) -> list[LastContext]: ...

    def bring_back(self, lasts: Iterable[LastContext]) -> None: ...


class NoLayout:
    """The part that is empty, and whose channels nobody joins."""

    def on_moved(self, tell: Callable[[ClientId, str | None], None]) -> None:
        return

    def join(self, identity: ClientId, channel: str) -> None:
        return

    def give_up(self, identity: ClientId) -> None:
        return

    def last_contexts(self, is_sensitive: Callable[[str], bool], limit: int) -> list[LastContext]:
        return []

    def bring_back(self, lasts: Iterable[LastContext]) -> None:
        return


class Fdc3(Component, Protocol):
    """Where it is off, what asks for it raises `DeskbusError` (unavailable)."""

    @property
    def layout(self) -> Fdc3Layout: ...

    def here(self) -> "Fdc3Service": ...

    def browsers(self) -> "BrowserDesktops": ...

    def may_join(self, only_app: str, identity: ClientId) -> bool:
        """Whether a client of another app may have its session on this app's socket."""

    async def choose_channel(self, identity: ClientId) -> None:
        """Has a person choose the user channel of a window."""

    def health(self) -> ComponentHealth: ...


class Fdc3Off:
    """In the agent's place, so that a start without FDC3 imports nothing of it."""

    def __init__(self) -> None:
        self.layout = NoLayout()

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
        return told("off", phrase("not-configured", section="[fdc3]"))
