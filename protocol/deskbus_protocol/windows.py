"""Processes behind windows: which render them, and the page that stands for one that died."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Empty, Method, Params
from deskbus_protocol.session import AppId
from deskbus_protocol.ui import Descriptor, Text, WindowId

MAX_LOG_LINES = 40

Cause = Literal["exit", "signal", "out_of_memory", "never_ready", "hung", "limit", "renderer"]
"""`renderer` is the process that draws the window; every other cause is the app's own process."""


class ResourceSample(Descriptor, frozen=True, kw_only=True):
    """Of the app's whole process tree; `at` is Unix milliseconds, CPU 100 for one whole core."""

    at: int
    cpu_percent: Annotated[float, Meta(ge=0)]
    memory_bytes: Annotated[int, Meta(ge=0)]
    processes: Annotated[int, Meta(ge=0)]
    cpu_limit_percent: Annotated[float, Meta(gt=0)] | UnsetType = UNSET
    memory_limit_bytes: Annotated[int, Meta(gt=0)] | UnsetType = UNSET


class CrashRestart(Descriptor, frozen=True, kw_only=True):
    """`scheduled` restarts by itself at `at`, Unix milliseconds; `loop` has crashed too often."""

    state: Literal["manual", "scheduled", "loop"]
    at: int | UnsetType = UNSET
    attempt: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


class CrashPage(Descriptor, frozen=True, kw_only=True, tag_field="kind", tag="crash"):
    """Stands in the place of a window whose process died. Times are Unix milliseconds.

    `detail` is one sentence of the backend's, such as which limit it was. `signal` is a name
    such as SIGKILL; `log` the last lines that the app wrote, oldest first.
    """

    window: WindowId
    app: AppId
    name: Text
    cause: Cause
    at: int
    exit_code: int | UnsetType = UNSET
    signal: Annotated[str, Meta(max_length=32)] | UnsetType = UNSET
    detail: Text | UnsetType = UNSET
    uptime_ms: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    sample: ResourceSample | UnsetType = UNSET
    log: Annotated[list[Text], Meta(max_length=MAX_LOG_LINES)] = msgspec.field(default_factory=list)
    restart: CrashRestart = CrashRestart(state="manual")


class ShowCrashParams(Params, frozen=True, kw_only=True):
    descriptor: CrashPage


class WindowProcessesParams(Params, frozen=True, kw_only=True):
    """All processes that render windows of `app` now; none once its last window is closed."""

    app: AppId
    pids: Annotated[list[int], Meta(max_length=256)]


class WindowGoneParams(Params, frozen=True, kw_only=True):
    """The process that renders a window has ended by itself; the window is still there.

    `reason` is Electron's, as in `render-process-gone`: crashed, oom, killed, launch-failed …
    """

    window: WindowId
    reason: Annotated[str, Meta(max_length=64)]
    exit_code: int | UnsetType = UNSET


METHODS = (
    Method(
        name="ui.showCrash",
        summary="Shows a crash page in place of a window; opening the window takes it away.",
        params=ShowCrashParams,
        result=Empty,
        handled_by="shell",
    ),
    Method(
        name="ui.windowProcesses",
        summary="Tells the backend which processes render an app's windows, when they change.",
        params=WindowProcessesParams,
        callers="shell",
    ),
    Method(
        name="ui.windowGone",
        summary="Tells the backend that the process which renders a window has ended.",
        params=WindowGoneParams,
        callers="shell",
    ),
)
