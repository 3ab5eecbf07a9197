"""The state of the pipe: unsafe, refused, made anew."""

from collections.abc import Callable

from deskbus.languages.health_words import other, phrase, told
from deskbus_protocol.health import ComponentHealth


class UnsafeDirectoryError(Exception):
    """The runtime directory is not this user's alone."""


class PipeState:
    """The pipe's health, and the number of times it was made anew."""

    def __init__(self, refused: Callable[[str], None] = lambda _: None) -> None:
        self.refused = refused
        self.problem = ""
        self.renewals = 0

    def health(self) -> ComponentHealth:
        if self.problem:
            return told("degraded", other(self.problem))
        return told("ok", phrase("pipe", count=self.renewals))
