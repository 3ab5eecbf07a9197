"""ConnectionTable: every open link with its connection, and how many there may be."""

import time
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from deskbus.rpc.connection import Connection
from deskbus.transport.link import Link


class OpenConnection(NamedTuple):
    """`since_s` is of the monotonic clock."""

    number: int
    link: Link
    connection: Connection
    since_s: float

    @property
    def app(self) -> str | None:
        """None before there is a session."""
        connection = self.connection
        return connection.identity.app if connection.has_session else None


class ConnectionTable:
    """Limits hold for links that come; those that are open stay when a limit falls below them."""

    def __init__(self, max_links: int, max_links_of_app: int) -> None:
        self.max_links = max_links
        self.max_links_of_app = max_links_of_app
        self._numbers = count(1)
        self._open: dict[int, OpenConnection] = {}
        self._shells = 0

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[OpenConnection]:
        return iter(self._open.values())

    @property
    def is_full(self) -> bool:
        return len(self._open) - self._shells >= self.max_links

    def enter(self, link: Link, connection: Connection) -> int:
        """Returns the number by which it leaves; numbers are never given twice."""
        number = next(self._numbers)
        self._open[number] = OpenConnection(number, link, connection, time.monotonic())
        self._shells += connection.shell_link
        return number

    def leave(self, number: int) -> None:
        gone = self._open.pop(number, None)
        if gone is not None:
            self._shells -= gone.connection.shell_link

    def find(self, number: int) -> OpenConnection | None:
        return self._open.get(number)

    def of_app(self, app: str) -> list[OpenConnection]:
        """The links on which sessions of `app` are open."""
        return [each for each in self if each.app == app]
