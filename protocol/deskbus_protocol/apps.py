"""`apps.*`: apps, their windows and processes, and how they are."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from deskbus_protocol.manifest import Limits
from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.session import AppId
from deskbus_protocol.ui import WindowId
from deskbus_protocol.windows import Cause, ResourceSample

AppState = Literal[
    "stopped",
    "starting",
    "ready",
    "degraded",
    "unresponsive",
    "stopping",
    "crashed",
    "restarting",
    "failed",
]
"""`stopping` was asked to end, and something of it is there still. `crashed` stays away by its own
rules, `restarting` comes back by itself, `failed` crashed so often that only a person brings it
back.
"""

MAX_TROUBLE_CHARACTERS = 200
"""Of what an app can't do at the moment; the clients leave out what is beyond."""

LimitName = Literal["cpu", "memory", "processes", "open_files", "log", "messages", "bus_bytes"]


class Crash(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The end of an app that should not have ended. `detail` is a plain sentence for a person.

    `window` is the one whose renderer ended, where that is all that did.
    `at` is Unix milliseconds, `sample` what its tree used last, `log` its last lines, oldest first.
    """

    cause: Cause
    detail: str
    at: int
    uptime_ms: int
    exit_code: int | UnsetType = UNSET
    signal: str | UnsetType = UNSET
    limit: LimitName | UnsetType = UNSET
    window: WindowId | UnsetType = UNSET
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


MAX_HOLDERS = 64
"""Processes that are listed as holding files; whoever closes those finds the next."""


class FileHolder(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A process that an update has to wait for, and a file that it holds or its program."""

    pid: int
    name: str
    path: str


class PrepareForUpdateParams(Params, frozen=True, kw_only=True):
    """`folder` is what the update replaces; the bundle from which the backend runs unless given."""

    folder: Annotated[str, Meta(min_length=1, max_length=4096)] | UnsetType = UNSET


class PrepareForUpdateResult(Result, frozen=True, kw_only=True):
    """`ready`: nothing but the backend itself holds a file, and no app can be started any more.

    Otherwise `holders` are in the way, and apps can be started again. `ended` are apps that ran.
    `unreadable` processes could not be looked at: those of other users.
    """

    ready: bool
    ended: list[AppId]
    holders: list[FileHolder]
    unreadable: int
    folder: str | UnsetType = UNSET


class OneAppParams(Params, frozen=True, kw_only=True):
    app: AppId


class AppResult(Result, frozen=True, kw_only=True):
    status: AppStatus


class AppChangedParams(Params, frozen=True, kw_only=True):
    """Sent to the shell whenever an app's state changes.

    In `crashed`, `restarting` and `failed` the app's windows stay, and show what happened.
    """

    status: AppStatus


class InstallParams(Params, frozen=True, kw_only=True):
    """`manifest` is the absolute path of a manifest, a JSON file in the app's own folder."""

    manifest: Annotated[str, Meta(min_length=1, max_length=4096)]


class InstallResult(Result, frozen=True, kw_only=True):
    """`hash` is SHA-256, in hex, of what was installed."""

    status: AppStatus
    hash: str


class StatsParams(Params, frozen=True, kw_only=True):
    """All apps, unless one is named."""

    app: AppId | UnsetType = UNSET


class AppStats(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An app's present usage, with all its processes; `uptime` is milliseconds.

    `limits` has the manifest's own names.
    """

    app: str
    state: AppState
    limits: Limits
    restarts: int
    pid: int | UnsetType = UNSET
    uptime: int | UnsetType = UNSET
    sample: ResourceSample | UnsetType = UNSET
    open_files: int | UnsetType = UNSET


class StatsResult(Result, frozen=True, kw_only=True):
    """`enforced` tells by what: control groups, Job objects, or samples alone."""

    apps: list[AppStats]
    enforced: str


class SetLimitsParams(Params, frozen=True, kw_only=True):
    """`limits`, named as in a manifest, replace those that the app has, also at later starts.

    Open files are limited by the next start; every other limit counts at once.
    """

    app: AppId
    limits: Limits


class SavedState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An app's saved state; `version` is its own, of the form of its state."""

    state: Raw
    version: int
    saved_at: int


class BeginResult(Result, frozen=True, kw_only=True):
    """`heartbeat` is how often to beat, in milliseconds; `saved` is the state that was saved last.

    `restarts` is how often the app came back by itself since a person launched it.
    """

    heartbeat: int
    restarts: int
    saved: SavedState | UnsetType = UNSET


class HeartbeatParams(Params, frozen=True, kw_only=True):
    """`trouble` says, for a person, what the app can't do at the moment."""

    trouble: Annotated[str, Meta(max_length=MAX_TROUBLE_CHARACTERS)] | UnsetType = UNSET


class SaveStateParams(Params, frozen=True, kw_only=True):
    state: Raw
    version: Annotated[int, Meta(ge=0)] = 1


class SaveStateResult(Result, frozen=True, kw_only=True):
    """`kept` is false where there is no keychain: then it lasts as long as the backend."""

    kept: bool


class LoadStateResult(Result, frozen=True, kw_only=True):
    saved: SavedState | UnsetType = UNSET


class StopParams(Params, frozen=True, kw_only=True):
    """The app is killed in `within` milliseconds."""

    within: int


METHODS = (
    Method(
        name="apps.list",
        summary="Lists the configured apps with their state.",
        params=NoParams,
        result=AppList,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="apps.launch",
        summary="Starts an app, with its process and windows; an app needs process.launch for it.",
        params=OneAppParams,
        result=AppResult,
    ),
    Method(
        name="apps.terminate",
        summary="Ends an app: its process tree is gone and its window closed when this answers.",
        params=OneAppParams,
        result=Empty,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
    Method(
        name="apps.prepareForUpdate",
        summary="Ends every app, and tells which processes hold files that an update replaces.",
        params=PrepareForUpdateParams,
        result=PrepareForUpdateResult,
        callers="shell",
        recorded="before",
    ),
    Method(
        name="apps.restart",
        summary="Ends an app where it runs, and starts it; also one that has failed.",
        params=OneAppParams,
        result=AppResult,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
    Method(
        name="apps.install",
        summary="Takes an app in, to be launched now and after a restart of the backend.",
        params=InstallParams,
        result=InstallResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="apps.uninstall",
        summary="Ends an app that was installed, and forgets it with its saved state.",
        params=OneAppParams,
        result=Empty,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="apps.stats",
        summary="Tells what apps use: processor, memory, processes, files; and their limits.",
        params=StatsParams,
        result=StatsResult,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="apps.setLimits",
        summary="Replaces an app's limits.",
        params=SetLimitsParams,
        result=Empty,
        callers="shell",
        permission="control.act",
        recorded="before",
    ),
    Method(
        name="apps.begin",
        summary="An app's first call: how often to beat, and the state that it saved.",
        params=NoParams,
        result=BeginResult,
    ),
    Method(
        name="apps.ready",
        summary="An app's own process says that it is ready.",
        params=NoParams,
        result=Empty,
    ),
    Method(
        name="apps.heartbeat",
        summary="A sign of life of an app's own process; from the first on, silence is noticed.",
        params=HeartbeatParams,
    ),
    Method(
        name="apps.saveState",
        summary="Keeps an app's state, encrypted, at most 1 MiB; it comes back at its next start.",
        params=SaveStateParams,
        result=SaveStateResult,
    ),
    Method(
        name="apps.loadState",
        summary="Returns the state that this app saved last.",
        params=NoParams,
        result=LoadStateResult,
    ),
    Method(
        name="apps.stop",
        summary="Asks an app's own process to end.",
        params=StopParams,
        handled_by="app",
    ),
    Method(
        name="apps.changed",
        summary="Tells the shell that an app's state changed.",
        params=AppChangedParams,
        handled_by="shell",
    ),
)
