"""Listeners: lets a part tell others of a change without knowing them."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Listeners(Generic[T]):
    """Calling it calls each listener with the event, in the order in which they were added."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[T], None]] = []

    def add(self, listener: Callable[[T], None]) -> None:
        self._listeners.append(listener)

    def __call__(self, event: T) -> None:
        for listener in self._listeners:
            listener(event)


class AsyncListeners(Generic[T]):
    """The same for listeners that are awaited, one after the other."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[T], Awaitable[None]]] = []

    def add(self, listener: Callable[[T], Awaitable[None]]) -> None:
        self._listeners.append(listener)

    async def __call__(self, event: T) -> None:
        for listener in self._listeners:
            await listener(event)
