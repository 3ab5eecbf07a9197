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


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. A method without a result is a notification.

    One that is the shell's alone may also be called by an app that was granted its `permission`;
    nobody is asked. A call that needs `control.act`, whoever makes it, is in the audit log
    afterwards; where its handler records an event of its own, that is the record.
    """

    name: str
    summary: str
    params: type[msgspec.Struct]
    result: Any = None
    handled_by: Side = "backend"
    callers: Caller = "session"
    permission: ControlPermission | None = None
    records_itself: bool = False
