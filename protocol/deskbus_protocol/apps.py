"""`apps.*`: the configured apps, their windows and processes."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.session import AppId

AppState = Literal["stopped", "starting", "running", "exited"]


class AppStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`pid` and `exit_code` belong to the app's own process, where it has one.

    A negative exit code is the number of the signal that ended the process.
    """

    app: str
    name: str
    state: AppState
    windows: list[str]
    pid: int | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET


class AppList(Result, frozen=True, kw_only=True):
    apps: list[AppStatus]


class LaunchParams(Params, frozen=True, kw_only=True):
    app: AppId


class AppResult(Result, frozen=True, kw_only=True):
    status: AppStatus


class TerminateParams(Params, frozen=True, kw_only=True):
    app: AppId


class AppChangedParams(Params, frozen=True, kw_only=True):
    """Sent to the shell whenever an app's state changes."""

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
        params=LaunchParams,
        result=AppResult,
        callers="shell",
    ),
    Method(
        name="apps.terminate",
        summary="Ends an app: its process tree is gone and its window closed when this answers.",
        params=TerminateParams,
        result=Empty,
        callers="shell",
    ),
    Method(
        name="apps.changed",
        summary="Tells the shell that an app's state changed.",
        params=AppChangedParams,
        handled_by="shell",
    ),
)
