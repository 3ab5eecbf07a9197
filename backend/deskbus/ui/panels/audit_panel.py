"""The audit panel: what happened, found by what a person knows of it, and whether all is there."""

from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import UNSET, UnsetType, structs

from deskbus.contracts.audit_reading import AuditReading
from deskbus.languages.language import Language, english, language_for
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

PAGE_ROWS = 100
MAX_APPS = 500
"""Apps in the filter, which may have no more options: those with the most records."""


HOUR_MS = 3_600_000


FAMILIES = (
    "permission.*",
    "violation",
    "auth.*",
    "app.*",
    "vault.*",
    "policy.*",
    "config.*",
    "web.*",
    "control.*",
    "audit.*",
)
PERIODS = ("1", "24", "168", "720")
"""In hours."""

DECISIONS: tuple[Decision, ...] = ("allowed", "denied")
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "notice", "info")
ACTORS: tuple[Actor, ...] = ("person", "policy", "system")
TONES: dict[Severity, Tone] = {
    "critical": "bad",
    "warning": "caution",
    "notice": "plain",
    "info": "quiet",
}
COLUMNS = {"time": 3, "event": 4, "app": 4, "decision": 0, "what": 7}
"""The weights of the columns."""

SAVES = {"csv": "audit.csv", "json": "audit.json", "head": "audit-checkpoint.txt"}
WORDS = "panel.audit."
PLAIN_DETAILS = ("permission", "scope", "method", "topic", "reason")
"""Details whose values say by themselves what they are."""

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
        self._language = english()
        """The language in which it was last shown, and so in which an action is answered."""

    def appended(self) -> None:
        """Takes in new records, and shows them at once to a person who follows the newest."""
        if self._live:
            self._on_changed()

    async def describe(self, query: PanelQuery) -> PanelContent:
        language = self._language = language_for(query.locale)
        self._live = query.live and not query.cursor
        self._wanted = self._filter(query)
        stats = await self._audit.stats()
        cursor = int(query.cursor) if query.cursor.isdecimal() else UNSET
        fields = structs.asdict(self._wanted)
        page = await self._audit.query(AuditQueryParams(**fields, limit=PAGE_ROWS, cursor=cursor))
        further = UNSET if isinstance(page.cursor, UnsetType) else str(page.cursor)
        previous = UNSET if isinstance(cursor, UnsetType) else await self._newer(cursor)
        return PanelContent(
            title=language.text(WORDS + "title"),
            subtitle=language.text(WORDS + "subtitle"),
            facts=_facts(stats, language),
            verdict=self._say(),
            search=PanelSearch(placeholder=language.text(WORDS + "search"), value=query.search),
            filters=self._filters(query, stats),
            columns=[
                PanelColumn(id=name, title=language.text(f"{WORDS}column.{name}"), weight=weight)
                for name, weight in COLUMNS.items()
            ],
            rows=[_row(record, language) for record in page.records],
            actions=self._actions(),
            summary=language.text(WORDS + "summary", shown=len(page.records), count=stats.records),
            next=further,
            previous=previous,
            live=query.live,
            empty=_empty(stats, further, language),
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
            return self._language.text(WORDS + "kept")
        count = await self._audit.export_to(path, self._wanted, FORMATS[action], SHELL)
        return self._language.text(WORDS + "exported", count=count)

    def _actions(self) -> list[PanelAction]:
        def words(name: str) -> str:
            return self._language.text(f"{WORDS}action.{name}")

        verifying = self._progress is not None
        verify = PanelAction(
            id="verify", label=words("verify"), style="primary", disabled=verifying
        )
        saving = [
            PanelAction(id=name, label=words(name), saves=file) for name, file in SAVES.items()
        ]
        return [verify, *saving]

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
        def words(name: str, **values: str | int) -> str:
            return self._language.text(f"{WORDS}verdict.{name}", **values)

        if self._progress is not None:
            return PanelVerdict(text=words("reading"), progress=self._progress)
        verdict = self._verdict
        if verdict is None:
            return PanelVerdict(text=words("none"), detail=words("none-detail"), tone="quiet")
        if verdict.verdict == "TAMPERED":
            seq = verdict.seq if isinstance(verdict.seq, int) else None
            where = visible(verdict.file) if verdict.file else words("the-log")
            if seq is not None:
                where = words("record", file=where, seq=seq)
            return PanelVerdict(
                text=words("tampered"),
                detail=f"{visible(verdict.reason)} ({where}).",
                tone="bad",
            )
        if verdict.verdict == "UNANCHORED":
            return PanelVerdict(
                text=words("unanchored", count=verdict.records),
                detail=f"{visible(verdict.reason)}. {verdict.action}.",
                tone="caution",
            )
        found = len(verdict.findings)
        notes = f" {words('remarks', count=found)}" if found else ""
        return PanelVerdict(
            text=words("ok", count=verdict.records),
            detail=words("ok-detail", anchor=verdict.anchor) + notes,
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
        language = self._language

        def worded(kind: str, values: Iterable[str]) -> dict[str, str]:
            return {
                value: language.text(f"{WORDS}{kind}.{value.removesuffix('.*')}")
                for value in values
            }

        choices: dict[str, dict[str, str]] = {
            "type": worded("family", FAMILIES),
            "app": {app: visible(app) for app in sorted(apps)},
            "decision": worded("decision", DECISIONS),
            "actor": worded("actor", ACTORS),
            "severity": worded("severity", SEVERITIES),
            "period": worded("period", PERIODS),
            "correlation": {},
        }
        return [
            PanelFilter(
                id=name,
                label=language.text(f"{WORDS}filter.{name}"),
                options=[PanelOption(value=value, label=text) for value, text in options.items()],
                value=query.filters.get(name, ""),
            )
            for name, options in choices.items()
        ]


def _facts(stats: AuditStats, language: Language) -> list[PanelFact]:
    size = language.text(
        "page.unit.mb" if stats.bytes >= 1e6 else "page.unit.kb",
        size=language.number(stats.bytes / 1e6, 1)
        if stats.bytes >= 1e6
        else language.number(stats.bytes / 1e3),
    )
    facts = [
        PanelFact(
            label=language.text(WORDS + "fact.kept"),
            text=language.text(WORDS + "fact.kept-in", count=stats.files, size=size),
        )
    ]
    if stats.pruned:
        facts.append(
            PanelFact(
                label=language.text(WORDS + "fact.pruned"),
                text=language.text(WORDS + "records", count=stats.pruned),
            )
        )
    tone: Tone = "plain" if stats.state == "ok" else "bad"
    label = language.text(WORDS + "fact.state")
    facts.append(PanelFact(label=label, text=visible(stats.detail), tone=tone))
    return facts


def _row(record: AuditRecord, language: Language) -> PanelRow:
    """The names and values of a record's details stay as they are on record."""
    decision = PanelCell()
    if not isinstance(record.decision, UnsetType):
        decision = PanelCell(
            text=language.text(f"{WORDS}decision.{record.decision}"),
            look="badge",
            tone="good" if record.decision == "allowed" else "bad",
        )
    told = {
        name: value for name, value in record.details.items() if name not in ("prompt", "holds")
    }
    what = ", ".join(
        f"{value}" if name in PLAIN_DETAILS else f"{name} {value}" for name, value in told.items()
    )
    facts = {
        "sequence": str(record.seq),
        "severity": record.severity,
        "actor": language.text(f"{WORDS}actor.{record.actor}"),
        "client": record.client,
        "reason": record.reason,
        "correlation": record.correlation_id,
        "trace": record.trace_id,
        "run": record.boot,
    }
    labelled = [(language.text(f"{WORDS}fact.{name}"), text) for name, text in facts.items()]
    labelled += [(name, str(value)) for name, value in record.details.items()]
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
            for label, text in labelled
            if text
        ],
    )


def _empty(stats: AuditStats, further: str | UnsetType, language: Language) -> PanelMessage:
    which = "nothing-yet"
    if not isinstance(further, UnsetType):
        which = "not-so-far"
    elif stats.records:
        which = "nothing-fits"
    return PanelMessage(
        title=language.text(f"{WORDS}{which}"), text=language.text(f"{WORDS}{which}-text")
    )
