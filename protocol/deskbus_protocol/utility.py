"""Utility processes: Electron's main process forks them (Electron 22 and later) for the backend."""

from typing import Annotated

import msgspec
from msgspec import Meta

from deskbus_protocol.method import Method, Params, Result
from deskbus_protocol.session import AppId, Ticket

Run = Annotated[str, Meta(min_length=1, max_length=64)]
"""One run of one app; the backend's name for it."""

MAX_OUTPUT_CHARACTERS = 65_536
"""The longest piece of a utility process's output in one message."""


class ForkUtilityParams(Params, frozen=True, kw_only=True):
    """`entry` is an absolute path of a script. `env` is the whole environment.

    `app`, `pipe` and `ticket` go to the process in its first message, never in its arguments.
    """

    app: AppId
    run: Run
    entry: Annotated[str, Meta(min_length=1, max_length=4096)]
    args: Annotated[list[str], Meta(max_length=256)] = msgspec.field(default_factory=list)
    cwd: Annotated[str, Meta(max_length=4096)] = ""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    pipe: str
    ticket: Ticket


class ForkedUtility(Result, frozen=True, kw_only=True):
    pid: int


class UtilityOutputParams(Params, frozen=True, kw_only=True):
    """Output of the process on stdout or stderr."""

    run: Run
    text: Annotated[str, Meta(max_length=MAX_OUTPUT_CHARACTERS)]


class UtilityExitedParams(Params, frozen=True, kw_only=True):
    run: Run
    exit_code: int


class KillUtilityParams(Params, frozen=True, kw_only=True):
    run: Run


METHODS = (
    Method(
        name="apps.forkUtility",
        summary="Forks a utility process; unavailable before Electron 22.",
        params=ForkUtilityParams,
        result=ForkedUtility,
        handled_by="shell",
    ),
    Method(
        name="apps.killUtility",
        summary="Ends a utility process, if it still runs.",
        params=KillUtilityParams,
        handled_by="shell",
    ),
    Method(
        name="apps.utilityOutput",
        summary="Hands over what a utility process wrote.",
        params=UtilityOutputParams,
        callers="shell",
    ),
    Method(
        name="apps.utilityExited",
        summary="Tells that a utility process has ended.",
        params=UtilityExitedParams,
        callers="shell",
    ),
)
