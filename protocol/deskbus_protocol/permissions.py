"""`permissions.*`: what an app may do, asking a person for it, and taking it back."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.method import Empty, Method, NoParams, Params, Result
from deskbus_protocol.pattern import whole
from deskbus_protocol.session import AppId, ClientName

Permission = Annotated[
    str,
    Meta(
        pattern=whole(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)*"),
        max_length=64,
        examples=["messaging.read"],
        description="A name of the permission catalogue (permissions.catalogue).",
    ),
]
Scope = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        description=(
            "The object, in the permission's own grammar: a topic pattern, an app id, "
            "an absolute path, an origin, or the one word that it has."
        ),
    ),
]
Reason = Annotated[str, Meta(max_length=200)]
State = Literal["granted", "denied", "prompt"]
Risk = Literal["low", "medium", "high"]
Holds = Literal["once", "session", "always"]
ScopeKind = Literal[
    "topics", "app", "path", "origin", "word", "fixed", "contexts", "intents", "choices"
]
"""`word` is any text, compared whole; `fixed` has one value only.

`contexts` are patterns of a channel and a context type of FDC3 (`fdc3%2Echannel%2E1.fdc3.contact`),
`intents` of an intent and a context type (`ViewChart.#`), `choices` of an intent, the app that
takes it, and a context type (`ViewChart.Chart.#`).
"""
PATTERN_KINDS: frozenset[ScopeKind] = frozenset({"topics", "contexts", "intents", "choices"})
"""Kinds whose scopes are patterns, as those of topics are."""
Enforcer = Literal["broker", "method", "shell", "nobody"]
"""The part that enforces a permission. One that none enforces is not offered."""
Origin = Annotated[str, Meta(max_length=256)]


class Grant(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """One permission for one scope."""

    permission: Permission
    scope: Scope


class AskParams(Params, frozen=True, kw_only=True):
    """`reason` is shown to the person, marked as the app's own words."""

    permission: Permission
    scope: Scope
    reason: Reason | UnsetType = UNSET


class AskForParams(Params, frozen=True, kw_only=True):
    """The shell asks for what one client of an app is about to do. `origin` is the page's."""

    app: AppId
    client: ClientName
    permission: Permission
    scope: Scope
    reason: Reason | UnsetType = UNSET
    origin: Origin | UnsetType = UNSET


class QueryPermissionParams(Params, frozen=True, kw_only=True):
    permission: Permission
    scope: Scope


class PermissionResult(Result, frozen=True, kw_only=True):
    state: State


class PermissionEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One permission of the catalogue.

    `title`, `statement` and `detail` are in a person's words, the last two for a dialog, with
    `{app}` where the app's name goes. `word` is the one scope of a permission whose `scope` is
    fixed. `implies` are the weaker permissions that it includes, for the same scope. `points` are
    the methods or Electron's own names for where it is enforced, `since` the first major version of
    Electron that asks there before it lets a page.
    """

    name: Permission
    title: str = ""
    statement: str = ""
    detail: str = ""
    risk: Risk
    scope: ScopeKind
    enforced_by: Enforcer
    word: str = "all"
    implies: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    since: int = 0


class CatalogueResult(Result, frozen=True, kw_only=True):
    """The permissions that are offered: each has a place that enforces it."""

    permissions: list[PermissionEntry]


class AppParams(Params, frozen=True, kw_only=True):
    app: AppId


class EffectiveRule(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Without a scope it is about all. `until` is Unix milliseconds; then the rule is gone."""

    permission: Permission
    scope: Scope | UnsetType = UNSET
    allow: bool
    until: int | UnsetType = UNSET


class GrantsResult(Result, frozen=True, kw_only=True):
    """An app's effective rules: the first that fits decides; without one, denied.

    `epoch` grows with every change; a copy is good until `permissions.changed` brings a higher one.
    `trusted` means that nothing is refused. A permission for once is not among the rules. `now` is
    the time (Unix ms) by which the rules end, whatever the clock of their reader says.
    """

    app: AppId
    epoch: int
    trusted: bool
    now: int
    rules: list[EffectiveRule]


class PermissionsChangedParams(Params, frozen=True, kw_only=True):
    """The permissions of `app` have changed. `closed` are patterns that this client lost."""

    app: AppId
    epoch: int
    closed: list[str] = msgspec.field(default_factory=list)


class PermissionRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One decision that stands, or a rule of an administrator. Times are Unix milliseconds.

    `name` is safe to show, `title` and `scope_words` say it plainly. `last_used` is exact to about
    a minute. Only what a person decided can be revoked.
    """

    app: AppId
    name: str
    permission: Permission
    scope: Scope
    title: str
    scope_words: str
    risk: Risk
    allowed: bool
    holds: Holds
    source: Literal["person", "policy", "config"]
    since: int | UnsetType = UNSET
    until: int | UnsetType = UNSET
    last_used: int | UnsetType = UNSET


class Embargo(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Nobody is asked about this permission of this app until then. Times are Unix milliseconds."""

    app: AppId
    name: str
    permission: Permission
    title: str
    since: int
    until: int
    because: Literal["dismissed", "timeout"]


class PermissionList(Result, frozen=True, kw_only=True):
    epoch: int
    records: list[PermissionRecord]
    embargoes: list[Embargo]


class GrantParams(Params, frozen=True, kw_only=True):
    """A decision of the person at the shell, without a prompt. `expires_in` is milliseconds."""

    app: AppId
    permission: Permission
    scope: Scope
    allowed: bool = True
    holds: Literal["session", "always"] = "always"
    expires_in: Annotated[int, Meta(ge=1)] | UnsetType = UNSET


class RevokeParams(Params, frozen=True, kw_only=True):
    """One decision; or without a scope all of that permission, and without a permission all."""

    app: AppId
    permission: Permission | UnsetType = UNSET
    scope: Scope | UnsetType = UNSET


class RevokeResult(Result, frozen=True, kw_only=True):
    revoked: int


class ResetEmbargoParams(Params, frozen=True, kw_only=True):
    """Without a permission all embargoes of the app."""

    app: AppId
    permission: Permission | UnsetType = UNSET


class ResetEmbargoResult(Result, frozen=True, kw_only=True):
    reset: int


DecidedBy = Literal[
    "policy", "person", "configuration", "manifest", "identity", "embargo", "development", "nothing"
]
"""The source of a verdict. `manifest` is what an app declares, or leaves out; `identity` an app
that is not what it says it is; `embargo` a person who was asked too often; `development` a backend
that allows or denies everything; `nothing` an app that nobody knows, or a permission not offered.
"""


class ExplainParams(Params, frozen=True, kw_only=True):
    app: AppId
    permission: Permission
    scope: Scope


class AuditReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The audit record of a decision: `seq` is its number, `time` Unix milliseconds.

    `trace_id` leads to the call that it was about; it is empty where no call was.
    """

    seq: int
    type: str
    time: int
    actor: str
    trace_id: str
    correlation_id: str


class PermissionExplanation(Result, frozen=True, kw_only=True):
    """The verdict about a permission, and its one reason; `because` says it in a sentence.

    `rule` is the grant, the denial or the policy's rule that decides, `place` the file and line
    that it is written in, where it is written in one. `since` and `until` are Unix milliseconds.
    """

    app: str
    permission: str
    scope: str
    state: State
    decided_by: DecidedBy
    because: str
    rule: str | UnsetType = UNSET
    place: str | UnsetType = UNSET
    holds: Holds | UnsetType = UNSET
    since: int | UnsetType = UNSET
    until: int | UnsetType = UNSET
    record: AuditReference | UnsetType = UNSET


METHODS = (
    Method(
        name="permissions.explain",
        summary="Tells why an app has a permission or not: the rule, by whom, since when.",
        params=ExplainParams,
        result=PermissionExplanation,
        callers="shell",
    ),
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
    Method(
        name="permissions.catalogue",
        summary="Lists the permissions that there are, with words, risk and scope.",
        params=NoParams,
        result=CatalogueResult,
    ),
    Method(
        name="permissions.changed",
        summary="Tells an app, and the shell, that what the app may do has changed.",
        params=PermissionsChangedParams,
        handled_by="app",
    ),
    Method(
        name="permissions.requestFor",
        summary="Asks for what a client of an app is about to do; a person may be asked.",
        params=AskForParams,
        result=PermissionResult,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="permissions.grantsOf",
        summary="Tells all that stands for an app, to be kept and looked up in by the shell.",
        params=AppParams,
        result=GrantsResult,
        callers="shell",
    ),
    Method(
        name="permissions.list",
        summary="Lists every decision that stands, allowed or denied, and the embargoes.",
        params=NoParams,
        result=PermissionList,
        callers="shell",
        permission="control.view",
    ),
    Method(
        name="permissions.grant",
        summary="Decides for an app without a prompt, as the person at the shell.",
        params=GrantParams,
        result=Empty,
        callers="shell",
        recorded="itself",
    ),
    Method(
        name="permissions.revoke",
        summary="Takes decisions back, allowances and denials alike; it applies at once.",
        params=RevokeParams,
        result=RevokeResult,
        callers="shell",
        permission="control.act",
        recorded="regardless",
    ),
    Method(
        name="permissions.resetEmbargo",
        summary="Lets an app ask again before its embargo ends.",
        params=ResetEmbargoParams,
        result=ResetEmbargoResult,
        callers="shell",
        recorded="itself",
    ),
)
