"""How it is with the pipe: in use, unsafe, refused, made anew."""

from collections.abc import Callable

from deskbus_protocol.health import ComponentHealth


class UnsafeDirectoryError(Exception):
    """The runtime directory is not this user's alone, or another backend has it."""


class InUseError(UnsafeDirectoryError):
    """Another backend has it; `pid` is its process, where that is known."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"a backend{f' (pid {pid})' if pid else ''} runs on this data folder")
        self.pid = pid


class PipeState:
    """How it is with the pipe, for whoever looks after it."""

    def __init__(self, refused: Callable[[str], None] = lambda _: None) -> None:
        self.refused = refused
        self.problem = ""
        self.renewals = 0

    def health(self) -> ComponentHealth:
        if self.problem:
            return ComponentHealth(status="degraded", detail=self.problem)
        return ComponentHealth(status="ok", detail=f"made anew {self.renewals} times")
