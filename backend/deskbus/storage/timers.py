"""Timers by what they call: one for each callback."""

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]
"""Takes seconds and a callback."""


class Timers:
    def __init__(self, call_later: CallLater) -> None:
        self._call_later = call_later
        self._set: dict[Callable[[], None], Timer] = {}

    def __contains__(self, callback: Callable[[], None]) -> bool:
        return callback in self._set

    def set(self, delay_s: float, callback: Callable[[], None]) -> None:
        self.cancel(callback)
        self._set[callback] = self._call_later(delay_s, callback)

    def cancel(self, callback: Callable[[], None]) -> None:
        """Also what a callback does first, so that its timer counts as set no more."""
        timer = self._set.pop(callback, None)
        if timer:
            timer.cancel()

    def cancel_all(self) -> None:
        for callback in [*self._set]:
            self.cancel(callback)
