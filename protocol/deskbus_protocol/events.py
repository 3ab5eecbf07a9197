"""The closed catalogue of audit events: what an administrator can read about later.

To record one, give it to an `AuditSink` (`deskbus.contracts.audit_sink`), which adds time, boot id,
sequence, `severity` and `decision`; an event says only what happened. A text that is not known
stays "". No event may carry a secret, a payload, or the parameters of a call.
"""

from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

Severity = Literal["info", "notice", "warning", "critical"]
"""`info` is daily business, `notice` changes what is permitted, `warning` was refused or failed."""

Decision = Literal["allowed", "denied"]

Actor = Literal["person", "policy", "system"]
"""The decider: a person at a dialog or panel, a rule of the configuration, or the backend."""

Holds = Literal["once", "session", "always"]


class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    tag_field="type",
    omit_defaults=True,
):
    """Base of all.

    `app` and `client` are whom it is about, `actor` is who did it. `correlation_id` is the
    message's or the prompt's, `trace_id` the 32 hex digits of a W3C traceparent.
    """

    severity: ClassVar[Severity] = "info"
    decision: ClassVar[Decision | None] = None

    app: str = ""
    client: str = ""
    actor: Actor = "system"
    reason: str = ""
    correlation_id: str = ""
    trace_id: str = ""


class PermissionEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the events about one permission for one scope. `prompt` joins those of one dialog."""

    permission: str
    scope: str
    prompt: str = ""


class PermissionRequested(PermissionEvent, frozen=True, kw_only=True, tag="permission.requested"):
    """`reason` is the app's own words."""


class PermissionGranted(PermissionEvent, frozen=True, kw_only=True, tag="permission.granted"):
    """`until` is Unix milliseconds, where it ends by itself."""

    severity: ClassVar[Severity] = "notice"
    decision: ClassVar[Decision | None] = "allowed"

    holds: Holds
    until: int | UnsetType = UNSET


class PermissionDenied(PermissionEvent, frozen=True, kw_only=True, tag="permission.denied"):
    """`reason` tells why: the person's answer, a rule, no answer in time."""

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    holds: Holds
    until: int | UnsetType = UNSET


class PermissionRevoked(PermissionEvent, frozen=True, kw_only=True, tag="permission.revoked"):
    severity: ClassVar[Severity] = "notice"


class PermissionExpired(PermissionEvent, frozen=True, kw_only=True, tag="permission.expired"):
    """A grant or a denial has come to its end."""

    severity: ClassVar[Severity] = "notice"


class PermissionEmbargoed(PermissionEvent, frozen=True, kw_only=True, tag="permission.embargoed"):
    """The app is not asked about again until `until` (Unix milliseconds), or until a reset."""

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    until: int | UnsetType = UNSET


class EmbargoReset(PermissionEvent, frozen=True, kw_only=True, tag="permission.embargo_reset"):
    severity: ClassVar[Severity] = "notice"


class PolicyChanged(Event, frozen=True, kw_only=True, tag="policy.changed"):
    """`before` and `after` are SHA-256 in hex of the policies; `change` is a plain sentence."""

    severity: ClassVar[Severity] = "notice"

    before: str = ""
    after: str = ""
    change: str = ""


class TicketMinted(Event, frozen=True, kw_only=True, tag="auth.minted"):
    pass


class TicketUsed(Event, frozen=True, kw_only=True, tag="auth.used"):
    """A session was opened with a ticket."""

    decision: ClassVar[Decision | None] = "allowed"


class TicketRefused(Event, frozen=True, kw_only=True, tag="auth.refused"):
    """`claimed` is who the caller said it was; nothing proves it, so `app` stays empty.

    `count` such within a moment.
    """

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    claimed: str = ""
    count: int = 1


class SessionResumed(Event, frozen=True, kw_only=True, tag="auth.resumed"):
    """`count` such within a moment."""

    decision: ClassVar[Decision | None] = "allowed"

    count: int = 1


class AppInstalled(Event, frozen=True, kw_only=True, tag="app.installed"):
    """`hash` is SHA-256 in hex of what was installed."""

    severity: ClassVar[Severity] = "notice"

    version: str = ""
    publisher: str = ""
    hash: str = ""


class AppUninstalled(Event, frozen=True, kw_only=True, tag="app.uninstalled"):
    """It is recorded before its saved state is deleted."""

    severity: ClassVar[Severity] = "notice"


class AppLaunched(Event, frozen=True, kw_only=True, tag="app.launched"):
    pid: int | UnsetType = UNSET


class AppReady(Event, frozen=True, kw_only=True, tag="app.ready"):
    """`took_ms` counts from its launch."""

    pid: int | UnsetType = UNSET
    took_ms: int | UnsetType = UNSET


class AppCrashed(Event, frozen=True, kw_only=True, tag="app.crashed"):
    """A negative `exit_code` is the number of the signal."""

    severity: ClassVar[Severity] = "warning"

    pid: int | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET


class AppRestarted(Event, frozen=True, kw_only=True, tag="app.restarted"):
    """`attempt` counts from 1."""

    attempt: int = 1
    pid: int | UnsetType = UNSET


class AppLimited(Event, frozen=True, kw_only=True, tag="app.limited"):
    """It went over `limit` (`memory`, `cpu` …); `measured` and `allowed` are in `unit`."""

    severity: ClassVar[Severity] = "warning"

    limit: str
    measured: float | UnsetType = UNSET
    allowed: float | UnsetType = UNSET
    unit: str = ""


class AppTerminated(Event, frozen=True, kw_only=True, tag="app.terminated"):
    """It was ended, or ended by itself in order."""

    pid: int | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET


class AppLimitsChanged(Event, frozen=True, kw_only=True, tag="app.limits_changed"):
    """Its limits were replaced; `before` and `after` are lists such as "memory_mb=256"."""

    severity: ClassVar[Severity] = "notice"

    before: str = ""
    after: str = ""


class AppUnresponsive(Event, frozen=True, kw_only=True, tag="app.unresponsive"):
    """`silent_ms` is since its last sign of life."""

    severity: ClassVar[Severity] = "warning"

    pid: int | UnsetType = UNSET
    silent_ms: int | UnsetType = UNSET


class Violation(Event, frozen=True, kw_only=True, tag="violation"):
    """Something was tried that is not permitted, and refused.

    `kind` names the rule (`role`, `undeclared`, `acl` …), `method` the refused call, `target` what
    it was aimed at (a topic, an app, a path), `origin` where it came from, `count` how often within
    a moment. Parameters and payloads stay out: they may hold secrets.
    """

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    kind: str
    method: str = ""
    target: str = ""
    origin: str = ""
    count: int = 1


class OriginViolation(Event, frozen=True, kw_only=True, tag="web.origin"):
    """A page of an `origin` that is not on the list."""

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    origin: str
    path: str = ""
    count: int = 1


class CsrfViolation(Event, frozen=True, kw_only=True, tag="web.csrf"):
    """A request without the token that proves that our own page sent it."""

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    origin: str = ""
    path: str = ""
    count: int = 1


class CspViolation(Event, frozen=True, kw_only=True, tag="web.csp"):
    """A browser's report (CSP level 3): the `directive` that `blocked` broke on `document`."""

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    directive: str
    blocked: str = ""
    document: str = ""
    count: int = 1


class BrowserAsked(Event, frozen=True, kw_only=True, tag="web.asked"):
    """Pages of `origin` ask a person to be let in as `app`; the dialog shows `number`."""

    origin: str
    number: str


class BrowserEntered(Event, frozen=True, kw_only=True, tag="web.entered"):
    """The browser `client` was let in for `app`, as pages of `origin`: by a one-time code, by a
    token that a person hands them, or by the person in the dialog that showed `number`.
    """

    severity: ClassVar[Severity] = "notice"
    decision: ClassVar[Decision | None] = "allowed"

    origin: str
    by: Literal["code", "token", "dialog"]
    number: str = ""


class BrowserRefused(Event, frozen=True, kw_only=True, tag="web.refused"):
    """A browser was not let in for the app `site`: its code was not good, or no person said yes.

    It has proven nothing, so `app` is empty.
    """

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    site: str
    origin: str
    count: int = 1


class BrowserLeft(Event, frozen=True, kw_only=True, tag="web.left"):
    """The browser `client` is not let in for `app` any more; `reason` tells why."""

    severity: ClassVar[Severity] = "notice"

    origin: str


class VaultUnlocked(Event, frozen=True, kw_only=True, tag="vault.unlocked"):
    """`home` is where its key is."""

    severity: ClassVar[Severity] = "notice"

    kek_provider: str = msgspec.field(name="home", default="")


class VaultLocked(Event, frozen=True, kw_only=True, tag="vault.locked"):
    severity: ClassVar[Severity] = "notice"


class VaultRotated(Event, frozen=True, kw_only=True, tag="vault.rotated"):
    """`what` is `kek`, `keys` or `all`; where the key moved, `password`, `keychain` or
    `safeStorage`.
    """

    severity: ClassVar[Severity] = "notice"

    what: str
    records: int | UnsetType = UNSET


class VaultExported(Event, frozen=True, kw_only=True, tag="vault.exported"):
    """Its content is in a file, under a password."""

    severity: ClassVar[Severity] = "warning"

    records: int | UnsetType = UNSET


class VaultImported(Event, frozen=True, kw_only=True, tag="vault.imported"):
    severity: ClassVar[Severity] = "notice"

    records: int


class ConfigSecretChanged(Event, frozen=True, kw_only=True, tag="vault.secret_changed"):
    """A secret of the configuration was set, or `deleted`; never its value."""

    severity: ClassVar[Severity] = "notice"

    name: str
    deleted: bool = False


class RecordRefused(Event, frozen=True, kw_only=True, tag="vault.record_refused"):
    """A sealed record was changed from outside, and was not opened."""

    severity: ClassVar[Severity] = "critical"
    decision: ClassVar[Decision | None] = "denied"

    purpose: str = ""


class ConfigChanged(Event, frozen=True, kw_only=True, tag="config.changed"):
    """`before` and `after` are SHA-256 in hex of the configuration; "" where there was none."""

    severity: ClassVar[Severity] = "notice"

    before: str = ""
    after: str = ""


class LinkClosed(Event, frozen=True, kw_only=True, tag="link.closed"):
    """An operator closed a link; `app` and `client` had it, where it had a session."""

    severity: ClassVar[Severity] = "notice"

    transport: str


class LinkLimitsChanged(Event, frozen=True, kw_only=True, tag="link.limits_changed"):
    """The most links at a time, and the most of one app, until the backend ends."""

    severity: ClassVar[Severity] = "notice"

    max_links: int
    max_links_of_app: int


class AuditExported(Event, frozen=True, kw_only=True, tag="audit.exported"):
    """`client` took `records` records out in `format`."""

    severity: ClassVar[Severity] = "notice"

    format: str
    records: int


class AuditVerified(Event, frozen=True, kw_only=True, tag="audit.verified"):
    """`verdict` is `OK`, `UNCLEAN TAIL`, `TAMPERED` or `UNANCHORED`; `head` the newest sequence
    covered.
    """

    severity: ClassVar[Severity] = "notice"

    verdict: str
    records: int
    head: int | UnsetType = UNSET


class AuditPruned(Event, frozen=True, kw_only=True, tag="audit.pruned"):
    """The files up to the record `through` were removed, as `reason` (the retention rule) says."""

    severity: ClassVar[Severity] = "notice"

    through: int
    files: int


class AuditDropped(Event, frozen=True, kw_only=True, tag="audit.dropped"):
    """The disk failed for so long that `count` events without effect could not be kept."""

    severity: ClassVar[Severity] = "critical"

    count: int


class AuditSetAside(Event, frozen=True, kw_only=True, tag="audit.set_aside"):
    """The log before this one could not be gone on with; it was moved to `folder`, untouched."""

    severity: ClassVar[Severity] = "critical"

    folder: str


class ControlActed(Event, frozen=True, kw_only=True, tag="control.acted"):
    """`client` of `app` acted as an operator: `method` on `target`, an app or a topic.

    `reason` says why it failed, and is empty where it did not.
    """

    severity: ClassVar[Severity] = "notice"
    decision: ClassVar[Decision | None] = "allowed"

    method: str
    target: str = ""


class ControlEntered(Event, frozen=True, kw_only=True, tag="control.entered"):
    """The browser `client` was let in to the control centre by a one-time code.

    It may look until `until`, in Unix milliseconds.
    """

    severity: ClassVar[Severity] = "notice"
    decision: ClassVar[Decision | None] = "allowed"

    until: int


class ControlSteppedUp(Event, frozen=True, kw_only=True, tag="control.stepped_up"):
    """The browser `client` may act as an operator until `until`, by a one-time code of its own."""

    severity: ClassVar[Severity] = "notice"
    decision: ClassVar[Decision | None] = "allowed"

    until: int


class ControlRefused(Event, frozen=True, kw_only=True, tag="control.refused"):
    """A code that is unknown, used, late or meant for something else was shown.

    `client` is the browser that wanted to act; empty where one wanted to be let in.
    """

    severity: ClassVar[Severity] = "warning"
    decision: ClassVar[Decision | None] = "denied"

    count: int = 1


class ControlLeft(Event, frozen=True, kw_only=True, tag="control.left"):
    """The browser `client` may not look at the control centre any more; `reason` tells why."""

    severity: ClassVar[Severity] = "notice"


class Fdc3Delivered(Event, frozen=True, kw_only=True, tag="fdc3.delivered"):
    """A context or an intent of FDC3 was handed to its readers; what was in it is not recorded.

    `app` and `client` sent it, `allowed_by` permitted that. `readers` are "app/client (what
    permitted it)", the first of `count`. `app_trace_id` is the trace id that the app gave (FDC3
    3.0), beside the agent's own.
    """

    kind: Literal["broadcast", "intent", "open"]
    context_type: str
    channel: str = ""
    intent: str = ""
    allowed_by: str = ""
    readers: str = ""
    count: int = 0
    app_trace_id: str = ""


AuditEvent = (
    PermissionRequested
    | PermissionGranted
    | PermissionDenied
    | PermissionRevoked
    | PermissionExpired
    | PermissionEmbargoed
    | EmbargoReset
    | PolicyChanged
    | TicketMinted
    | TicketUsed
    | TicketRefused
    | SessionResumed
    | AppInstalled
    | AppUninstalled
    | AppLaunched
    | AppReady
    | AppCrashed
    | AppRestarted
    | AppLimited
    | AppTerminated
    | AppUnresponsive
    | AppLimitsChanged
    | Violation
    | OriginViolation
    | CsrfViolation
    | CspViolation
    | BrowserAsked
    | BrowserEntered
    | BrowserRefused
    | BrowserLeft
    | VaultUnlocked
    | VaultLocked
    | VaultRotated
    | VaultExported
    | VaultImported
    | ConfigSecretChanged
    | RecordRefused
    | ConfigChanged
    | LinkClosed
    | LinkLimitsChanged
    | AuditExported
    | AuditVerified
    | AuditPruned
    | AuditDropped
    | AuditSetAside
    | ControlActed
    | ControlEntered
    | ControlSteppedUp
    | ControlRefused
    | ControlLeft
    | Fdc3Delivered
)
"""Any of them; a record's `type` names which."""
