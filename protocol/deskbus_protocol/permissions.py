"""`permissions.*`: what an app may do, and asking a person for it."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Method, Params, Result

Permission = Literal["messaging.read", "messaging.write", "app.send", "secrets"]
Scope = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        description=(
            "What exactly: a topic pattern for messaging, an app id for app.send, own for secrets."
        ),
    ),
]
Reason = Annotated[str, Meta(max_length=200)]
State = Literal["granted", "denied", "prompt"]


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """One permission for one scope."""

    permission: Permission
    scope: Scope


class AskParams(Params, frozen=True, kw_only=True):
    """`reason` is shown to the person, marked as the app's own words."""

    permission: Permission
    scope: Scope
    reason: Reason | UnsetType = UNSET


class QueryPermissionParams(Params, frozen=True, kw_only=True):
    permission: Permission
    scope: Scope


class PermissionResult(Result, frozen=True, kw_only=True):
    state: State


METHODS = (
    Method(
        name="permissions.request",
        summary="Asks for a permission; a person may be asked. Answers granted or denied.",
        params=AskParams,
        result=PermissionResult,
    ),
    Method(
        name="permissions.query",
        summary="Tells whether a permission is granted, denied, or would need a prompt.",
        params=QueryPermissionParams,
        result=PermissionResult,
    ),
)
