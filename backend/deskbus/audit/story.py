"""Gathers what a compliance report tells, in one pass over a period's records."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec import UNSET

from deskbus.audit.query import AuditSearch
from deskbus_protocol.audit import AuditFilter, AuditRecord

PAGE = 1000
MAX_LISTED = 200
"""Rows of each list in a report; what is left out is counted."""

DAY_MS = 86_400_000

LIFECYCLE = ("launched", "ready", "crashed", "restarted", "limited", "unresponsive", "terminated")
REFUSALS = ("violation", "web.origin", "web.csrf", "web.csp", "auth.refused")
CHANGES = (
    "policy.changed", "config.changed", "vault.unlocked", "vault.locked", "vault.rotated",
    "vault.record_refused", "app.installed", "audit.exported", "audit.verified", "audit.pruned",
    "audit.dropped", "audit.set_aside",
)  # fmt: skip

Progress = Callable[[int, int], None]


class Period(NamedTuple):
    """Unix milliseconds; `until` is the first moment that is no longer in it."""

    since_ms: int | None
    until_ms: int | None


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


class Story:
    """What happened, counted. Lists are newest last, and no longer than `MAX_LISTED`."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self.records = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None
        self.decisions: dict[str, Counter[str]] = {}
        self.lifecycle: dict[str, Counter[str]] = {}
        self.refusals: Counter[tuple[str, str, str]] = Counter()
        self.days: dict[int, Counter[str]] = {}
        self.refused: list[AuditRecord] = []
        self.changes: list[AuditRecord] = []
        self.holdings: list[Holding] = []
        self.left_out: Counter[str] = Counter()

    def add(self, record: AuditRecord) -> None:
        self.records += 1
        self.first_ms = record.time if self.first_ms is None else min(self.first_ms, record.time)
        self.last_ms = record.time if self.last_ms is None else max(self.last_ms, record.time)
        family, _, word = record.type.partition(".")
        day = self.days.setdefault(record.time // DAY_MS, Counter())
        if family == "permission" and record.decision:
            self.decisions.setdefault(record.app, Counter())[record.decision] += 1
            day[record.decision] += 1
        elif family == "app" and word in LIFECYCLE:
            self.lifecycle.setdefault(record.app, Counter())[word] += 1
        if record.type in REFUSALS:
            count = int(record.details.get("count", 1))
            kind = str(record.details.get("kind", "")) or record.type
            self.refusals[record.app or "(no session)", kind, _target(record)] += count
            day["violation"] += count
            self._list("refused", self.refused, record)
        if record.type in CHANGES:
            self._list("changes", self.changes, record)

    def _list(self, name: str, listed: list[AuditRecord], record: AuditRecord) -> None:
        listed.append(record)
        if len(listed) > MAX_LISTED:
            del listed[0]
            self.left_out[name] += 1


class _Holdings:
    """Follows grants from the beginning of the log, since one may be older than the period."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str], Holding] = {}
        self.all: list[Holding] = []

    def add(self, record: AuditRecord) -> None:
        key = (
            record.app,
            str(record.details.get("permission", "")),
            str(record.details.get("scope", "")),
        )
        if record.type == "permission.granted":
            held = self._open.get(key)
            until = record.details.get("until")
            self._open[key] = Holding(
                *key,
                holds=str(record.details.get("holds", "")),
                actor=record.actor,
                since_ms=record.time if held is None else held.since_ms,
                until_ms=int(until) if until else None,
                ended="expires" if until else "",
            )
        elif record.type in ("permission.revoked", "permission.expired"):
            self._end(key, record.time, record.type.partition(".")[2])

    def close(self) -> list[Holding]:
        return sorted([*self.all, *self._open.values()], key=lambda one: (one.app, one.since_ms))

    def _end(self, key: tuple[str, str, str], time_ms: int, how: str) -> None:
        held = self._open.pop(key, None)
        if held is not None:
            ended_ms = time_ms if held.until_ms is None else min(time_ms, held.until_ms)
            self.all.append(held._replace(until_ms=ended_ms, ended=how))


def gather(search: AuditSearch, period: Period, progress: Progress | None = None) -> Story:
    """Raises `OSError`. `progress` is told the records that were read, and those that may fit."""
    story = Story(period)
    since = UNSET if period.since_ms is None else period.since_ms
    until = UNSET if period.until_ms is None else period.until_ms
    total = max(search.count(period.since_ms, period.until_ms), 1)
    for record in _all(search, AuditFilter(since=since, until=until)):
        story.add(record)
        if progress is not None and story.records % PAGE == 0:
            progress(min(story.records, total), total)
    holdings = _Holdings()
    for record in _all(search, AuditFilter(types=["permission.*"], until=until)):
        holdings.add(record)
    story.holdings = [one for one in holdings.close() if _touches(one, period)]
    if progress is not None:
        progress(total, total)
    return story


def _all(search: AuditSearch, wanted: AuditFilter) -> Iterator[AuditRecord]:
    cursor = None
    while True:
        found = search.find(wanted, order="oldest", limit=PAGE, cursor=cursor)
        yield from found.records
        cursor = found.cursor
        if cursor is None:
            return


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
    return record.type
