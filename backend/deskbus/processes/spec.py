"""The specification of an app: its process, windows, limits and restarts."""

from typing import NamedTuple

from deskbus.processes.runtime.spawn import Program
from deskbus_protocol.manifest import HeartbeatSpec, Limits, Ready, RestartSpec
from deskbus_protocol.ui import WindowDescriptor

MAIN_CLIENT = "main"
"""The client's name of an app's own process."""


class ProcessSpec(NamedTuple):
    """The app's own process, and what is expected of it."""

    program: Program
    ready: Ready = "started"
    ready_within_s: float = 20.0
    stop_within_s: float = 0.7
    heartbeat: HeartbeatSpec = HeartbeatSpec()


class AppSpec(NamedTuple):
    app: str
    name: str
    windows: tuple[WindowDescriptor, ...]
    process: ProcessSpec | None
    limits: Limits = Limits()
    restart: RestartSpec = RestartSpec()
