"""The audit panel: what happened, found by what a person knows of it, and whether all is there."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import UNSET, UnsetType, structs

from deskbus.contracts.audit_reading import AuditReading
from deskbus.storage.clocks import ClockMs, wall_ms
from deskbus.storage.durable_files import write_private
from deskbus_protocol.audit import (
    AuditFilter,
    AuditFormat,
    AuditQueryParams,
    AuditRecord,
    AuditStats,
    AuditVerdict,
)
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DEGRADED, DeskbusError
from deskbus_protocol.events import Actor, Decision, Severity
from deskbus_protocol.panels import (
    PanelAction,
    PanelCell,
    PanelColumn,
    PanelContent,
    PanelFact,
    PanelFilter,
    PanelMessage,
    PanelOption,
    PanelQuery,
    PanelRow,
    PanelSearch,
    PanelVerdict,
    Tone,
)
from deskbus_protocol.wording.display import visible
from deskbus_protocol.wording.quantity import counted, number

PAGE_ROWS = 100
MAX_APPS = 500
"""Of the filter, which may have no more options; those with the most records."""


HOUR_MS = 3_600_000


FAMILIES = {
    "permission.*": "Permissions",
    "violation": "Violations",
    "auth.*": "Tickets and sessions",
    "app.*": "Apps",
    "vault.*": "The vault",
    "policy.*": "Policy",
    "config.*": "The configuration",
    "web.*": "The web gateway",
    "control.*": "The control centre",
    "audit.*": "The audit log itself",
}
PERIODS = {"1": "The last hour", "24": "The last day", "168": "The last week", "720": "30 days"}
DECISIONS: dict[Decision, str] = {"allowed": "Allowed", "denied": "Denied"}
SEVERITIES: dict[Severity, str] = {
    "critical": "Critical",
    "warning": "Warnings",
    "notice": "Notices",
    "info": "Daily business",
}
TONES: dict[Severity, Tone] = {
    "critical": "bad",
    "warning": "caution",
    "notice": "plain",
    "info": "quiet",
}
COLUMNS = [
    PanelColumn(id="time", title="Time", weight=3),
    PanelColumn(id="event", title="Event", weight=4),
    PanelColumn(id="app", title="App", weight=4),
    PanelColumn(id="decision", title="Decision", weight=0),
    PanelColumn(id="what", title="What", weight=7),
]
ACTORS: dict[Actor, str] = {"person": "A person", "policy": "A rule", "system": "The backend"}
VERIFY = PanelAction(id="verify", label="Verify", style="primary")
ACTIONS = [
    VERIFY,
    PanelAction(id="csv", label="Export CSV", saves="audit.csv"),
    PanelAction(id="json", label="Export JSON", saves="audit.json"),
    PanelAction(id="head", label="Keep a checkpoint", saves="audit-checkpoint.txt"),
]
FORMATS: dict[str, AuditFormat] = {"csv": "csv", "json": "json"}
SHELL = ClientId("deskbus.shell", "audit-panel")


class AuditPanel:
    name = "audit"

    def __init__(
        self,
        audit: AuditReading,
        on_changed: Callable[[], None],
        clock_ms: ClockMs = wall_ms,
    ) -> None:
        """`on_changed` has the panel drawn anew."""
        self._audit = audit
        self._on_changed = on_changed
        self._clock_ms = clock_ms
        self._progress: float | None = None
        self._verdict: AuditVerdict | None = None
        self._wanted = AuditFilter()
        self._live = False

    def appended(self) -> None:
        """There are new records; shown at once to a person who looks at the newest and wants it."""
        if self._live:
            self._on_changed()

    async def describe(self, query: PanelQuery) -> PanelContent:
        self._live = query.live and not query.cursor
        self._wanted = self._filter(query)
        stats = await self._audit.stats()
        cursor = int(query.cursor) if query.cursor.isdecimal() else UNSET
        fields = structs.asdict(self._wanted)
        page = await self._audit.query(AuditQueryParams(**fields, limit=PAGE_ROWS, cursor=cursor))
        further = UNSET if isinstance(page.cursor, UnsetType) else str(page.cursor)
        previous = UNSET if isinstance(cursor, UnsetType) else await self._newer(cursor)
        return PanelContent(
            title="Audit log",
            subtitle="Requests, permissions, refusals and changes, newest first.",
            facts=_facts(stats),
            verdict=self._say(),
            search=PanelSearch(placeholder="Search in records", value=query.search),
            filters=self._filters(query, stats),
            columns=COLUMNS,
            rows=[_row(record) for record in page.records],
            actions=[
                VERIFY if self._progress is None else structs.replace(VERIFY, disabled=True),
                *ACTIONS[1:],
            ],
            summary=(
                f"{counted(len(page.records), 'record')} shown, {number(stats.records)} in the log"
            ),
            next=further,
            previous=previous,
            live=query.live,
            empty=_empty(stats, further),
        )

    async def act(self, action: str, row: str | None, path: Path | None) -> str:
        del row
        if action == "verify":
            return await self._verify()
        if path is None:
            return ""
        if action == "head":
            head = await self._audit.head()
            try:
                write_private(path, head.checkpoint.encode())  # a kilobyte
            except OSError:
                raise DeskbusError(DEGRADED, "The file can't be written there.") from None
            return "Kept. Store it where this computer can't change it."
        count = await self._audit.export_to(path, self._wanted, FORMATS[action], SHELL)
        return f"{counted(count, 'record')}, with a proof beside the file."

    async def _newer(self, cursor: int) -> str:
        """The cursor of the page before the one that begins below `cursor`; "" is the first."""
        fields = structs.asdict(self._wanted)
        page = await self._audit.query(
            AuditQueryParams(
                **fields, order="oldest", limit=PAGE_ROWS + 1, cursor=max(cursor - 1, 0)
            )
        )
        newer = [record.seq for record in page.records if record.seq >= cursor]
        return str(newer[PAGE_ROWS]) if len(newer) > PAGE_ROWS else ""

    async def _verify(self) -> str:
        def progress(done: int, total: int) -> None:
            share = done / total if total else 1.0
            if self._progress is None or share - self._progress >= 0.02:
                self._progress = share
                self._on_changed()

        self._progress = 0.0
        self._on_changed()
        try:
            self._verdict = await self._audit.verify([], progress, SHELL)
        finally:
            self._progress = None
        return ""

    def _say(self) -> PanelVerdict:
        if self._progress is not None:
            return PanelVerdict(text="Reading every record …", progress=self._progress)
        verdict = self._verdict
        if verdict is None:
            return PanelVerdict(
                text="Not verified since the start.",
                detail="Verify reads the whole log and proves that nothing is missing or changed.",
                tone="quiet",
            )
        if verdict.verdict == "TAMPERED":
            seq = f", record {verdict.seq}" if isinstance(verdict.seq, int) else ""
            where = f"{verdict.file}{seq}" if verdict.file else "the log"
            return PanelVerdict(
                text="TAMPERED: the log was changed from outside.",
                detail=f"{visible(verdict.reason)} ({where}).",
                tone="bad",
            )
        if verdict.verdict == "UNANCHORED":
            there = counted(verdict.records, "record")
            return PanelVerdict(
                text=f"UNANCHORED: {there} fit, the end is not proven.",
                detail=f"{visible(verdict.reason)}. {verdict.action}.",
                tone="caution",
            )
        found = len(verdict.findings)
        notes = f" {counted(found, 'remark')}: deskbus audit verify tells more." if found else ""
        return PanelVerdict(
            text=f"OK: all {counted(verdict.records, 'record')} are there, as they were written.",
            detail=f"Its end was held against {verdict.anchor}.{notes}",
            tone="good",
        )

    def _filter(self, query: PanelQuery) -> AuditFilter:
        wanted = query.filters
        hours = wanted.get("period", "")
        since = UNSET if hours not in PERIODS else self._clock_ms() - int(hours) * HOUR_MS
        family = wanted.get("type", "")
        app = wanted.get("app", "")
        return AuditFilter(
            types=[family] if family in FAMILIES else [],
            apps=[app] if app else [],
            actors=[one for one in ACTORS if one == wanted.get("actor")],
            decisions=[one for one in DECISIONS if one == wanted.get("decision")],
            severities=[one for one in SEVERITIES if one == wanted.get("severity")],
            correlation_id=wanted.get("correlation", "")[:128] or UNSET,
            since=since,
            text=query.search or UNSET,
        )

    def _filters(self, query: PanelQuery, stats: AuditStats) -> list[PanelFilter]:
        apps = sorted(stats.by_app, key=lambda app: -stats.by_app[app])[:MAX_APPS]
        choices: list[tuple[str, str, dict[str, str]]] = [
            ("type", "All events", FAMILIES),
            ("app", "All apps", {app: visible(app) for app in sorted(apps)}),
            ("decision", "All decisions", dict(_pairs(DECISIONS))),
            ("actor", "Anybody", dict(_pairs(ACTORS))),
            ("severity", "All severities", dict(_pairs(SEVERITIES))),
            ("period", "All times", PERIODS),
            ("correlation", "Correlation id", {}),
        ]
        return [
            PanelFilter(
                id=name,
                label=label,
                options=[PanelOption(value=value, label=text) for value, text in options.items()],
                value=query.filters.get(name, ""),
            )
            for name, label, options in choices
        ]


def _pairs(
    words: Mapping[Actor, str] | Mapping[Decision, str] | Mapping[Severity, str],
) -> list[tuple[str, str]]:
    return list(words.items())


def _facts(stats: AuditStats) -> list[PanelFact]:
    size = f"{stats.bytes / 1e6:,.1f} MB" if stats.bytes >= 1e6 else f"{stats.bytes / 1e3:,.0f} kB"
    facts = [PanelFact(label="Kept in", text=f"{counted(stats.files, 'file')}, {size}")]
    if stats.pruned:
        facts.append(PanelFact(label="Removed by retention", text=counted(stats.pruned, "record")))
    tone: Tone = "plain" if stats.state == "ok" else "bad"
    facts.append(PanelFact(label="State", text=visible(stats.detail), tone=tone))
    return facts


def _row(record: AuditRecord) -> PanelRow:
    decision = PanelCell()
    if not isinstance(record.decision, UnsetType):
        allowed = record.decision == "allowed"
        decision = PanelCell(
            text=DECISIONS[record.decision], look="badge", tone="good" if allowed else "bad"
        )
    what = ", ".join(
        f"{value}" for name, value in record.details.items() if name not in ("prompt", "holds")
    )
    facts = [
        ("Sequence", str(record.seq)),
        ("Severity", record.severity),
        ("Decided by", ACTORS[record.actor]),
        ("Client", record.client),
        ("Reason", record.reason),
        ("Correlation id", record.correlation_id),
        ("Trace id", record.trace_id),
        ("Run", record.boot),
        *((name, str(value)) for name, value in record.details.items()),
    ]
    return PanelRow(
        id=str(record.seq),
        cells=[
            PanelCell(time=record.time),
            PanelCell(text=record.type, tone=TONES[record.severity], look="code"),
            PanelCell(text=visible(record.app), look="strong"),
            decision,
            PanelCell(text=visible(what)[:500], tone="quiet"),
        ],
        details=[
            PanelFact(label=label, text=visible(text)[:10_000], look="code")
            for label, text in facts
            if text
        ],
    )


def _empty(stats: AuditStats, further: str | UnsetType) -> PanelMessage:
    if not isinstance(further, UnsetType):
        return PanelMessage(title="Not found so far", text="Go on with the next page.")
    if stats.records:
        return PanelMessage(title="Nothing fits", text="Search for something else.")
    return PanelMessage(title="Nothing yet", text="New records are listed here as they come.")
