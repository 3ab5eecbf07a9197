"""`audit.*`: reading the audit log, and proving that it is whole. For shells and administrators."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from deskbus_protocol.events import Actor, Decision, Severity
from deskbus_protocol.method import Empty, Method, NoParams, Params, Result

AuditOrder = Literal["newest", "oldest"]
AuditFormat = Literal["json", "ndjson", "csv"]
VerdictWord = Literal["OK", "UNCLEAN TAIL", "TAMPERED", "UNANCHORED"]
Words = Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=64)]
Millis = Annotated[int, Meta(ge=0)]
Seq = Annotated[int, Meta(ge=0)]


class AuditFilter(Params, frozen=True, kw_only=True):
    """An audit query; an omitted member does not narrow it. Several values of one member mean any.

    `types` are names of events (`permission.denied`), or a whole family (`permission.*`). `since`
    is the first, `until` the first no longer wanted millisecond (Unix). `correlation_id` also finds
    the trace id. `text` is found anywhere in a record, in any case of letters.
    """

    types: Words = msgspec.field(default_factory=list)
    since: Millis | UnsetType = UNSET
    until: Millis | UnsetType = UNSET
    apps: Words = msgspec.field(default_factory=list)
    actors: Annotated[list[Actor], Meta(max_length=3)] = msgspec.field(default_factory=list)
    decisions: Annotated[list[Decision], Meta(max_length=2)] = msgspec.field(default_factory=list)
    severities: Annotated[list[Severity], Meta(max_length=4)] = msgspec.field(default_factory=list)
    correlation_id: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    text: Annotated[str, Meta(min_length=1, max_length=256)] | UnsetType = UNSET


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`time` is Unix milliseconds, `mono` microseconds of the clock of the run `boot`.

    `details` are the event's own members, by the names of the catalogue.
    """

    seq: int
    time: int
    mono: int
    boot: str
    type: str
    severity: Severity
    decision: Decision | UnsetType = UNSET
    app: str = ""
    client: str = ""
    actor: Actor = "system"
    reason: str = ""
    correlation_id: str = ""
    trace_id: str = ""
    details: dict[str, str | int | float | bool] = {}


class AuditQueryParams(AuditFilter, frozen=True, kw_only=True):
    """`cursor` goes on behind an earlier page of the same filter and order."""

    order: AuditOrder = "newest"
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Seq | UnsetType = UNSET


class AuditPage(Result, frozen=True, kw_only=True):
    """`cursor` is there when there may be more, also where the search for a text paused and
    `records` is empty. `total` counts the whole log.
    """

    records: list[AuditRecord]
    total: int
    cursor: int | UnsetType = UNSET


class AuditExportParams(AuditFilter, frozen=True, kw_only=True):
    """Oldest first. `cursor` goes on behind an earlier part."""

    format: AuditFormat = "json"
    limit: Annotated[int, Meta(ge=1, le=2000)] = 1000
    cursor: Seq | UnsetType = UNSET


class AuditExportResult(Result, frozen=True, kw_only=True):
    """`proof` is the proof bundle as JSON text, to keep beside `content`."""

    content: str
    proof: str
    records: int
    cursor: int | UnsetType = UNSET


class AuditStats(Result, frozen=True, kw_only=True):
    """Counts of what is still there; their names are what a panel's filters can offer.

    `oldest` and `newest` are times, Unix milliseconds.
    """

    records: int
    pruned: int
    files: int
    bytes: int
    state: str
    detail: str
    by_type: dict[str, int]
    by_app: dict[str, int]
    by_decision: dict[str, int]
    by_severity: dict[str, int]
    oldest: int | UnsetType = UNSET
    newest: int | UnsetType = UNSET


class AuditFinding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something to know that is no tampering: a clock set back, a crash, files removed by rule."""

    kind: str
    file: str
    seq: int
    text: str


class AuditVerifyParams(Params, frozen=True, kw_only=True):
    """`against` are checkpoints that were kept elsewhere; the log must go on from each."""

    against: Annotated[list[Annotated[str, Meta(max_length=4096)]], Meta(max_length=16)] = (
        msgspec.field(default_factory=list)
    )


class AuditVerdict(Result, frozen=True, kw_only=True):
    """`file`, `seq` and `reason` tell where and why it is not OK, `action` what to do about it.

    `anchor` tells what the log's end was held against. `UNANCHORED` means that nothing outside of
    the log's folder could vouch for the end: a log that was cut back would look the same.
    """

    verdict: VerdictWord
    records: int
    first: int
    size: int
    key: str
    anchor: str
    file: str = ""
    seq: int | UnsetType = UNSET
    reason: str = ""
    action: str = ""
    checkpoint: str = ""
    findings: list[AuditFinding] = msgspec.field(default_factory=list)


class AuditHeadResult(Result, frozen=True, kw_only=True):
    """`checkpoint` is a signed note (c2sp.org/tlog-checkpoint), `key` the log's verifier key."""

    checkpoint: str
    key: str
    size: int


class AuditTailParams(AuditFilter, frozen=True, kw_only=True):
    """`enabled` false ends it; a second tail of one client takes the place of the first."""

    enabled: bool = True


class AuditAppendedParams(Params, frozen=True, kw_only=True):
    """New records that fit, oldest first. `skipped` more came too quickly to be shown."""

    records: list[AuditRecord]
    skipped: int = 0


METHODS = (
    Method(
        name="audit.query",
        summary="Finds records of the audit log, a page at a time.",
        params=AuditQueryParams,
        result=AuditPage,
        permission="control.view",
    ),
    Method(
        name="audit.export",
        summary="Answers with records as JSON, NDJSON or CSV, and the proof of them.",
        params=AuditExportParams,
        result=AuditExportResult,
    ),
    Method(
        name="audit.stats",
        summary="Counts the audit log by type, app, decision and severity.",
        params=NoParams,
        result=AuditStats,
        permission="control.view",
    ),
    Method(
        name="audit.verify",
        summary="Reads the whole audit log and tells whether it is whole; progress tells how far.",
        params=AuditVerifyParams,
        result=AuditVerdict,
        permission="control.view",
    ),
    Method(
        name="audit.head",
        summary="Answers with the newest checkpoint, to be kept elsewhere.",
        params=NoParams,
        result=AuditHeadResult,
    ),
    Method(
        name="audit.tail",
        summary="Sends audit.appended for new records from now on.",
        params=AuditTailParams,
        result=Empty,
    ),
    Method(
        name="audit.appended",
        summary="Tells of new records of the audit log.",
        params=AuditAppendedParams,
        handled_by="app",
    ),
)
