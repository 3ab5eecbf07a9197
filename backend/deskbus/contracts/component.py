"""Component: a part of the backend that has a life."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Component(Protocol):
    """Complete once it is constructed; at work for the length of one `with` block."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Returns from its exit once all that the part began has ended."""
