"""The shell as the services see it: connected, or not."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from deskbus.languages.language import english, language_for
from deskbus.reliability.circuit_breaker import CircuitBreaker
from deskbus.reliability.token_bucket import TokenBucket
from deskbus_protocol.errors import TIMEOUT, UNAVAILABLE, DeskbusError


class ShellPeer(Protocol):
    """The shell link's calling side."""

    async def call(
        self, method: str, params: object, result: type[Any], *, timeout_s: float
    ) -> Any: ...

    def notify(self, method: str, params: object) -> None: ...

    @property
    def slow(self) -> bool:
        """Whether the shell reads more slowly than it is written to."""


TELL_AGAIN_AFTER_S = 0.1
TOLD_AT_ONCE = 20
MAX_TOLD = 1_000
"""Changes of one thing that the shell is told as they come; after that one each tenth of a second.

Beyond so many things, those that were not told of lately are forgotten.
"""


class _ShellUpdate:
    """The number of updates sent of one subject, and the newest that is not sent yet."""

    def __init__(self, now_s: float) -> None:
        self.bucket = TokenBucket(1 / TELL_AGAIN_AFTER_S, TOLD_AT_ONCE, now_s)
        self.params: object | None = None
        self.timer: asyncio.TimerHandle | None = None


class Shell:
    """Calls go to the connected shell; without one they fail at once, as `unavailable`.

    So they do while its breaker is open: a shell that lets calls time out is not waited for again
    and again. One that connects anew starts with a clean slate.
    """

    def __init__(self) -> None:
        self._peer: ShellPeer | None = None
        self.language = english()
        """Of the person at the shell."""

        self.breaker = CircuitBreaker("shell")
        self._on_connected: list[Callable[[], None]] = []
        self._updates: dict[tuple[str, str], _ShellUpdate] = {}

    @property
    def connected(self) -> bool:
        return self._peer is not None

    def speak(self, locale: str) -> None:
        """Sets the language of the person at the shell by a locale; English if unknown."""
        self.language = language_for(locale)

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
            for update in self._updates.values():
                if update.timer is not None:
                    update.timer.cancel()
            self._updates.clear()

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

    def tell(self, method: str, of: str, params: object) -> None:
        """Tells the shell the present state `of` something. Frequent updates, and those for a shell
        that does not read, are reduced to the latest, so that changes caused by others never pile
        up.
        """
        if self._peer is None:
            return
        now_s = asyncio.get_running_loop().time()
        if len(self._updates) > MAX_TOLD and (method, of) not in self._updates:
            self._forget_quiet(now_s)
        update = self._updates.setdefault((method, of), _ShellUpdate(now_s))
        update.params = params
        if update.timer is None:
            self._send(self._peer, method, update)

    def _send(self, peer: ShellPeer, method: str, update: _ShellUpdate) -> None:
        loop = asyncio.get_running_loop()
        update.timer = None
        if peer.slow or not update.bucket.take(1, loop.time()):
            update.timer = loop.call_later(TELL_AGAIN_AFTER_S, self._send, peer, method, update)
        else:
            params, update.params = update.params, None
            peer.notify(method, params)

    def _forget_quiet(self, now_s: float) -> None:
        self._updates = {
            of: update
            for of, update in self._updates.items()
            if update.timer is not None or update.bucket.fill(now_s) < TOLD_AT_ONCE
        }


def _is_silence(error: Exception) -> bool:
    return isinstance(error, DeskbusError) and error.kind is TIMEOUT
