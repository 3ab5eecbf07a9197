"""Listeners: lets a part tell others of a change without knowing them."""

from collections.abc import Callable
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
