"""`apps.*`: apps, their windows and processes, and how they are."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.session import AppId
from deskbus_protocol.windows import Cause, ResourceSample

AppState = Literal[
    "stopped",
    "starting",
    "ready",
    "degraded",
    "unresponsive",
    "crashed",
    "restarting",
    "failed",
]
"""`crashed` stays away by its own rules, `restarting` comes back by itself, `failed` crashed so
often that only a person brings it back.
"""

LimitName = Literal["cpu", "memory", "processes", "open_files", "log", "messages", "bus_bytes"]


class Crash(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How an app ended that should not have. `detail` is a plain sentence for a person.

    `at` is Unix milliseconds, `sample` what its tree used last, `log` its last lines, oldest first.
    """

    cause: Cause
    detail: str
    at: int
    uptime_ms: int
    exit_code: int | UnsetType = UNSET
    signal: str | UnsetType = UNSET
    limit: LimitName | UnsetType = UNSET
    sample: ResourceSample | UnsetType = UNSET
    log: list[str] = []


class AppStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`pid` and `exit_code` belong to the app's own process, where it has one.

    A negative exit code is the number of the signal that ended the process. `detail` says why it
    is degraded or unresponsive. `crash` is the last one, until it is ready again; `restart_in` is
    the milliseconds until it comes back, `restarts` how often it did since a person launched it.
    """

    app: str
    name: str
    state: AppState
    windows: list[str]
    pid: int | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    crash: Crash | UnsetType = UNSET
    restart_in: int | UnsetType = UNSET
    restarts: int = 0


class AppList(Result, frozen=True, kw_only=True):
    apps: list[AppStatus]


class OneAppParams(Params, frozen=True, kw_only=True):
    app: AppId


class AppResult(Result, frozen=True, kw_only=True):
    status: AppStatus


class AppChangedParams(Params, frozen=True, kw_only=True):
    """Sent to the shell whenever an app's state changes.

    In `crashed`, `restarting` and `failed` the app's windows stay, and show what happened.
    """

    status: AppStatus


METHODS = (
    Method(
        name="apps.list",
        summary="Lists the configured apps with their state.",
        params=NoParams,
        result=AppList,
        callers="shell",
    ),
    Method(
        name="apps.launch",
        summary="Starts an app: its process is spawned and its window is opened.",
        params=OneAppParams,
        result=AppResult,
        callers="shell",
    ),
    Method(
        name="apps.terminate",
        summary="Ends an app: its process tree is gone and its window closed when this answers.",
        params=OneAppParams,
        result=Empty,
        callers="shell",
    ),
    Method(
        name="apps.restart",
        summary="Ends an app where it runs, and starts it; also one that has failed.",
        params=OneAppParams,
        result=AppResult,
        callers="shell",
    ),
    Method(
        name="apps.changed",
        summary="Tells the shell that an app's state changed.",
        params=AppChangedParams,
        handled_by="shell",
    ),
)
