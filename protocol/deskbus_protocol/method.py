"""A row of the method table."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType


class TraceContext(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `_meta` of a call: W3C Trace Context, level 1, passed through untouched."""

    traceparent: str | UnsetType = UNSET
    tracestate: str | UnsetType = UNSET


class Params(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of every method's parameters. An unknown member is refused, so a typo is told."""

    meta: TraceContext | UnsetType = msgspec.field(default=UNSET, name="_meta")


class NoParams(Params, frozen=True, kw_only=True):
    """The parameters of a method that takes none."""


class Result(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of every result. Readers ignore members they don't know, so results may grow."""


class Empty(Result, frozen=True, kw_only=True):
    """The result of a method that only needs to say "done"."""


Side = Literal["backend", "shell", "app"]
"""The side that handles a method. `app` means any session's client, the shell's own included."""

Caller = Literal["shell", "session", "anyone"]
"""The permitted callers: the shell link alone, links with a session, or any link."""


ControlPermission = Literal["control.view", "control.act"]

Recorded = Literal["before", "itself", "regardless"]
"""The way in which an administrator's act gets into the audit log.

`before`: as `control.acted`, on disk before the effect, and there is none where that can't be.
`itself`: the same with an event of the handler's own. `regardless`: it only takes a right away, so
it stands, recorded or not.
"""


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. A method without a result is a notification.

    One that is the shell's alone may also be called by an app that was granted its `permission`;
    nobody is asked. `recorded` is told of each that acts, whoever calls it.
    """

    name: str
    summary: str
    params: type[msgspec.Struct]
    result: Any = None
    handled_by: Side = "backend"
    callers: Caller = "session"
    permission: ControlPermission | None = None
    recorded: Recorded | None = None
