"""The shell as the services see it: there, or not."""

from typing import Any, Protocol

from deskbus_protocol.errors import UNAVAILABLE, DeskbusError


class ShellPeer(Protocol):
    """The shell link's calling side."""

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any: ...

    def notify(self, method: str, params: object) -> None: ...


class Shell:
    """Calls go to the connected shell; without one they fail at once, as `unavailable`."""

    def __init__(self) -> None:
        self._peer: ShellPeer | None = None

    @property
    def connected(self) -> bool:
        return self._peer is not None

    def connect(self, peer: ShellPeer) -> None:
        self._peer = peer

    def disconnect(self, peer: ShellPeer) -> None:
        if self._peer is peer:
            self._peer = None

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any:
        """Raises `DeskbusError`: unavailable, or what the shell answers."""
        if self._peer is None:
            raise DeskbusError(UNAVAILABLE, "No shell is connected.")
        return await self._peer.call(method, params, result, timeout_s=timeout_s)

    def notify(self, method: str, params: object) -> None:
        """Tells the shell, if there is one."""
        if self._peer is not None:
            self._peer.notify(method, params)
