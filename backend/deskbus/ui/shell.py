"""The shell as the services see it: there, or not."""

from collections.abc import Callable
from typing import Any, Protocol

from deskbus.reliability.breaker import CircuitBreaker
from deskbus_protocol.errors import TIMEOUT, UNAVAILABLE, DeskbusError


class ShellPeer(Protocol):
    """The shell link's calling side."""

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any: ...

    def notify(self, method: str, params: object) -> None: ...


class Shell:
    """Calls go to the connected shell; without one they fail at once, as `unavailable`.

    So they do while its breaker is open: a shell that lets calls time out is not waited for again
    and again. One that connects anew starts with a clean slate.
    """

    def __init__(self) -> None:
        self._peer: ShellPeer | None = None
        self.breaker = CircuitBreaker("shell")
        self._on_connected: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        return self._peer is not None

    def connect(self, peer: ShellPeer) -> None:
        self._peer = peer
        self.breaker.reset()
        for tell in self._on_connected:
            tell()

    def on_connected(self, tell: Callable[[], None]) -> None:
        """Calls `tell` whenever a shell has connected."""
        self._on_connected.append(tell)

    def disconnect(self, peer: ShellPeer) -> None:
        if self._peer is peer:
            self._peer = None

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any:
        """Raises `DeskbusError`: unavailable, timeout, or what the shell answers."""
        if self._peer is None:
            raise DeskbusError(UNAVAILABLE, "No shell is connected.")
        with self.breaker.attempt(_is_silence):
            return await self._peer.call(method, params, result, timeout_s=timeout_s)

    def notify(self, method: str, params: object) -> None:
        """Tells the shell, if there is one."""
        if self._peer is not None:
            self._peer.notify(method, params)


def _is_silence(error: Exception) -> bool:
    return isinstance(error, DeskbusError) and error.kind is TIMEOUT
