"""The specification of an app: its process, windows, limits and restarts."""

from typing import NamedTuple

from msgspec import structs
from msgspec.structs import replace

from deskbus.processes.runtime.spawn import Program
from deskbus_protocol.manifest import HeartbeatSpec, Limits, Ready, RestartSpec
from deskbus_protocol.ui import Bounds, WindowDescriptor

MAIN_CLIENT = "main"
"""The client's name of an app's own process."""


class ProcessSpec(NamedTuple):
    """The app's own process, and what is expected of it."""

    program: Program
    ready: Ready = "started"
    ready_within_s: float = 20.0
    stop_within_s: float = 0.7
    heartbeat: HeartbeatSpec = HeartbeatSpec()


class PlacedWindow(NamedTuple):
    """A window of a layout: the name of its client, and its place where that is known."""

    client: str
    bounds: Bounds | None = None

    def put(self, window: WindowDescriptor) -> WindowDescriptor:
        """The window in this place."""
        return window if self.bounds is None else replace(window, **structs.asdict(self.bounds))


class AppSpec(NamedTuple):
    app: str
    name: str
    windows: tuple[WindowDescriptor, ...]
    process: ProcessSpec | None
    limits: Limits = Limits()
    restart: RestartSpec = RestartSpec()
