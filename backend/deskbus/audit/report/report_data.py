"""Gathers what a compliance report tells, in one pass over a period's records.

Every figure is a filter of `audit query`, and is counted by the matcher that answers queries: a
figure and the query of the same words can't differ.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from msgspec import UNSET, structs

from deskbus.audit.query.indexer import Facet
from deskbus.audit.query.matcher import Matcher
from deskbus.audit.query.search import AuditSearch
from deskbus.contracts.progress import ReportProgress
from deskbus_protocol.audit import AuditFilter, AuditRecord
from deskbus_protocol.events import Decision

PAGE = 1000
MAX_LISTED = 200
"""Rows of each list of records in a report; what is left out is counted."""

MAX_KINDS = 1000
"""Rows of the table of violations; apps choose what they try, so this is bounded too."""

DAY_MS = 86_400_000


class Figure(NamedTuple):
    """A number of a report: how many records of its period have these types and decisions."""

    name: str
    types: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()

    @property
    def wanted(self) -> AuditFilter:
        return AuditFilter(types=list(self.types), decisions=list(self.decisions))

    @property
    def query(self) -> str:
        """The command that lists these records."""
        words = ["deskbus audit query --limit 0"]
        words += [f"--type '{name}'" for name in self.types]
        words += [f"--decision {name}" for name in self.decisions]
        return " ".join(words)


RECORDS = Figure("records")
REQUESTED = Figure("requested", ("permission.requested",))
ALLOWED = Figure("allowed", decisions=("allowed",))
DENIED = Figure("denied", decisions=("denied",))
GRANTED = Figure("allowed", ("permission.*",), ("allowed",))
WITHHELD = Figure("denied", ("permission.*",), ("denied",))
REVOKED = Figure("revoked", ("permission.revoked",))
EXPIRED = Figure("expired", ("permission.expired",))
VIOLATIONS = Figure(
    "violations", ("violation", "web.origin", "web.csrf", "web.csp", "auth.refused")
)
CRASHED = Figure("crashed", ("app.crashed",))
CHANGES = Figure(
    "changes",
    ("policy.changed", "config.changed", "vault.*", "app.installed", "app.uninstalled", "audit.*"),
)

SHARED = Figure("contexts and intents", ("fdc3.delivered",))

SUMMARY = (RECORDS, REQUESTED, ALLOWED, DENIED, VIOLATIONS, CRASHED._replace(name="crashes"))
PERMISSIONS = (REQUESTED, GRANTED, WITHHELD, REVOKED, EXPIRED)
LIFE = (
    Figure("sessions", ("auth.used",)),
    Figure("launched", ("app.launched",)),
    Figure("ready", ("app.ready",)),
    CRASHED,
    Figure("restarted", ("app.restarted",)),
    Figure("limited", ("app.limited",)),
    Figure("unresponsive", ("app.unresponsive",)),
    Figure("terminated", ("app.terminated",)),
)

_HOLDING = ("permission.*", "auth.*", "app.*")
"""Event types that tell of grants, and of the backend run that gave them."""

NO_APP = "(no session)"
CONFIGURATION = "the configuration"


class Period(NamedTuple):
    """Unix milliseconds; `until` is the first moment that is no longer in it."""

    since_ms: int | None
    until_ms: int | None


class Refusal(NamedTuple):
    """The key of a group of violations: app, event, rule and place."""

    app: str
    type: str
    rule: str
    target: str


class Holding(NamedTuple):
    """An app had a permission from `since_ms` until `until_ms`; None for still. `ended` is how."""

    app: str
    permission: str
    scope: str
    holds: str
    actor: str
    since_ms: int
    until_ms: int | None
    ended: str


class Listing:
    """The newest `MAX_LISTED` of the records that fit a figure."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.left_out = 0

    def add(self, record: AuditRecord) -> None:
        self.records.append(record)
        if len(self.records) > MAX_LISTED:
            del self.records[0]
            self.left_out += 1


class ReportData:
    """The data of a report. Lists are newest last."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.apps: dict[str, Counter[Facet]] = {}
        self.days: dict[int, Counter[Facet]] = {}
        self.refusals: dict[Refusal, tuple[int, int]] = {}
        """Records of each, and how many refused calls those tell of."""
        self.refused = Listing()
        self.changes = Listing()
        self.shared = Listing()
        self.holdings: list[Holding] = []
        self._is_refusal = Matcher(VIOLATIONS.wanted).fits_facets
        self._is_change = Matcher(CHANGES.wanted).fits_facets
        self._is_shared = Matcher(SHARED.wanted).fits_facets

    @property
    def records(self) -> int:
        return self.count(RECORDS)

    def count(self, figure: Figure, app: str | None = None) -> int:
        """The records that fit; those of one app, or of all and of none."""
        counted = self.apps.values() if app is None else [self.apps.get(app, Counter())]
        return sum(_matching(figure, facets) for facets in counted)

    def by_day(self, figure: Figure) -> dict[int, int]:
        """The counts by day since 1970 (UTC); days without any are left out."""
        counts = {day: _matching(figure, facets) for day, facets in self.days.items()}
        return {day: count for day, count in sorted(counts.items()) if count}

    def add(self, record: AuditRecord) -> None:
        self.first_ms = record.time if self.first_ms is None else min(self.first_ms, record.time)
        self.last_ms = record.time if self.last_ms is None else max(self.last_ms, record.time)
        facet = Facet(record.type, record.app, record.actor, record.decision or "", record.severity)
        self.apps.setdefault(record.app, Counter())[facet] += 1
        self.days.setdefault(record.time // DAY_MS, Counter())[facet] += 1
        if self._is_refusal(*facet):
            self._refuse(record)
            self.refused.add(record)
        if self._is_change(*facet):
            self.changes.add(record)
        if self._is_shared(*facet):
            self.shared.add(record)

    def _refuse(self, record: AuditRecord) -> None:
        kind = str(record.details.get("kind", ""))
        key = Refusal(record.app or NO_APP, record.type, kind, _target(record))
        if key not in self.refusals and len(self.refusals) >= MAX_KINDS:
            key = Refusal("all others", "", "", "")
        records, times = self.refusals.get(key, (0, 0))
        self.refusals[key] = records + 1, times + int(record.details.get("count", 1))


class _Holdings:
    """Follows grants from the beginning of the log, since one may be older than the period."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str, bool], Holding] = {}
        self._all: list[Holding] = []
        self._boot = ""
        self._last_ms = 0

    def add(self, record: AuditRecord) -> None:
        if record.boot != self._boot:
            self._end_run()
            self._boot = record.boot
        self._last_ms = record.time
        if record.type == "permission.granted":
            self._grant(record)
        elif record.type in ("permission.revoked", "permission.expired"):
            self._end(_key(record), record.time, record.type.partition(".")[2])

    def close(self) -> list[Holding]:
        return sorted([*self._all, *self._open.values()], key=lambda one: (one.app, one.since_ms))

    def _grant(self, record: AuditRecord) -> None:
        key = _key(record)
        until = record.details.get("until")
        held = self._open.get(key)
        holding = Holding(
            *key[:3],
            holds=str(record.details.get("holds", "")),
            actor=CONFIGURATION if key[3] else record.actor,
            since_ms=record.time if held is None else held.since_ms,
            until_ms=int(until) if until else None,
            ended="expires" if until else "",
        )
        if holding.holds == "once":
            once = holding._replace(since_ms=record.time, until_ms=record.time, ended="used once")
            self._all.append(once)
        else:
            self._open[key] = holding

    def _end_run(self) -> None:
        """Grants for an app's run do not outlive the backend that ran it."""
        for key in [key for key, one in self._open.items() if one.holds == "session"]:
            self._end(key, self._last_ms, "the backend ended")

    def _end(self, key: tuple[str, str, str, bool], time_ms: int, how: str) -> None:
        held = self._open.pop(key, None)
        if held is not None:
            ended_ms = time_ms if held.until_ms is None else min(time_ms, held.until_ms)
            self._all.append(held._replace(until_ms=ended_ms, ended=how))


def gather(
    search: AuditSearch, period: Period, progress: ReportProgress | None = None
) -> ReportData:
    """Raises `OSError`. `progress` is told the records that were read, and those that may fit."""
    data = ReportData(period)
    since = UNSET if period.since_ms is None else period.since_ms
    until = UNSET if period.until_ms is None else period.until_ms
    total = max(search.count(period.since_ms, period.until_ms), 1)
    wanted = AuditFilter(since=since, until=until)
    for done, record in enumerate(_all(search, wanted), 1):
        data.add(record)
        if progress is not None and done % PAGE == 0:
            progress(min(done, total), total)
    holdings = _Holdings()
    for record in _all(search, structs.replace(wanted, since=UNSET, types=list(_HOLDING))):
        holdings.add(record)
    data.holdings = [one for one in holdings.close() if _touches(one, period)]
    if progress is not None:
        progress(total, total)
    return data


def _all(search: AuditSearch, wanted: AuditFilter) -> Iterator[AuditRecord]:
    cursor = None
    while True:
        found = search.find(wanted, order="oldest", limit=PAGE, cursor=cursor)
        yield from found.records
        cursor = found.cursor
        if cursor is None:
            return


def _matching(figure: Figure, facets: Counter[Facet]) -> int:
    fits = Matcher(figure.wanted).fits_facets
    return sum(count for facet, count in facets.items() if fits(*facet))


def _key(record: AuditRecord) -> tuple[str, str, str, bool]:
    """A person's answer and the configuration's grant of the same thing are two."""
    permission, scope = record.details.get("permission", ""), record.details.get("scope", "")
    return record.app, str(permission), str(scope), record.actor == "policy"


def _touches(holding: Holding, period: Period) -> bool:
    ends_before = (
        holding.until_ms is not None
        and period.since_ms is not None
        and holding.until_ms < period.since_ms
    )
    begins_after = period.until_ms is not None and holding.since_ms >= period.until_ms
    return not ends_before and not begins_after


def _target(record: AuditRecord) -> str:
    for name in ("method", "origin", "directive"):
        if record.details.get(name):
            return str(record.details[name])
    return ""
