"""The compliance report: one HTML file, to read and to print, that loads nothing from anywhere."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from deskbus.audit import charts
from deskbus.audit.charts import Bar, Lane, Series, Span
from deskbus.audit.markup import escaped
from deskbus.audit.reportstyle import STYLE
from deskbus.audit.story import LIFECYCLE, Period, Story
from deskbus_protocol.audit import AuditRecord, AuditVerdict

MAX_BARS = 30
"""Rows of a chart; the tables below it have all."""

MAX_WORD = 28
_WORD = re.compile(r"[\s./_-]")
_BREAK = re.compile(r"([./_-])(?=\w)")

ALLOWED = Series("allowed", "allowed")
DENIED = Series("denied", "denied")
VIOLATIONS = Series("violations", "violated")

DECIDED = ("allowed", "denied")

_VERDICTS = {
    "OK": ("good", "The log is whole", "Every record of the log is there, in order, as written."),
    "UNCLEAN TAIL": (
        "caution",
        "The log is whole up to an unclean end",
        "The backend did not end in order. Nothing that was signed is missing.",
    ),
    "TAMPERED": (
        "bad",
        "The log was tampered with",
        "What this report tells of it can't be relied on.",
    ),
}


def render(story: Story, verdict: AuditVerdict, made_ms: int) -> str:
    """The page; `made_ms` is when (Unix milliseconds)."""
    sections = [
        _summary(story, verdict),
        _section("Decisions on permissions", _decisions(story)),
        _section("Who held which permission, and when", _holdings(story, made_ms)),
        _section("Violations", _violations(story)),
        _section("Life of the apps", _lifecycle(story)),
        _section("Changes to the system", _changes(story)),
        _section("Verification", _verification(verdict)),
    ]
    title = f"Audit report, {_span(story.period, story)}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{STYLE}</style></head><body>"
        f"<header><p>deskbus</p><h1>Audit report</h1><p class=period>{_span(story.period, story)}"
        f"</p></header>{''.join(sections)}"
        f"<footer>Made {_when(made_ms)} from {story.records:,} records. All times are UTC."
        "</footer></body></html>\n"
    )


def _summary(story: Story, verdict: AuditVerdict) -> str:
    tone, title, words = _VERDICTS[verdict.verdict]
    reason = f" {escaped(verdict.reason)}." if verdict.reason else ""
    if verdict.anchor.startswith("none"):
        words += (
            " Its end was held against nothing, so a log that was cut back would look the same."
        )
    decided = [sum(counts[word] for counts in story.decisions.values()) for word in DECIDED]
    figures = (
        ("records", story.records),
        ("allowed", decided[0]),
        ("denied", decided[1]),
        ("violations", sum(story.refusals.values())),
        ("crashes", sum(counts["crashed"] for counts in story.lifecycle.values())),
    )
    cells = "".join(f"<div><b>{value:,}</b><span>{name}</span></div>" for name, value in figures)
    return (
        f'<section class="verdict {tone}"><h2>{title}</h2><p>{words}{reason}</p></section>'
        f'<section class="figures">{cells}</section>'
    )


def _decisions(story: Story) -> str:
    if not story.decisions:
        return _nothing("Nobody asked for a permission.")
    by_app = sorted(story.decisions.items(), key=lambda item: -sum(item[1].values()))
    bars = [Bar(app, [counts[word] for word in DECIDED]) for app, counts in by_app[:MAX_BARS]]
    rows = [
        (app, str(counts["allowed"]), str(counts["denied"]), str(sum(counts.values())))
        for app, counts in by_app
    ]
    return (
        charts.stacked_bars((ALLOWED, DENIED), bars)
        + "<h3>By day</h3>"
        + charts.columns_by_day((ALLOWED, DENIED), _by_day(story, DECIDED))
        + _table(("App", "Allowed", "Denied", "In all"), rows, numbers=(1, 2, 3))
    )


def _holdings(story: Story, made_ms: int) -> str:
    if not story.holdings:
        return _nothing("No app was granted anything.")
    begins = story.period.since_ms
    since = min(one.since_ms for one in story.holdings) if begins is None else begins
    until = story.period.until_ms or story.last_ms or made_ms
    table = [
        (
            one.app,
            one.permission,
            one.scope,
            one.holds,
            one.actor,
            _when(one.since_ms),
            "still held" if one.until_ms is None else f"{_when(one.until_ms)} ({one.ended})",
        )
        for one in story.holdings
    ]
    names = ("App", "Permission", "Scope", "For", "By", "From", "Until")
    return charts.spans(_lanes(story, until), since, until) + _table(names, table)


def _lanes(story: Story, until: int) -> list[Lane]:
    """A heading for each app, and below it a row for each permission that it held."""
    held: dict[str, dict[str, list[Span]]] = {}
    for one in story.holdings:
        row = held.setdefault(one.app, {}).setdefault(f"{one.permission} {one.scope}", [])
        ends = until if one.until_ms is None else one.until_ms
        title = f"{one.app} held {one.permission} on {one.scope} from {_when(one.since_ms)}"
        row.append(Span(one.since_ms, ends, one.until_ms is None or ends > until, title))
    lanes = []
    for app, rows in held.items():
        lanes += [Lane(app, []), *(Lane(label, spans) for label, spans in rows.items())]
    return lanes[:MAX_BARS]


def _violations(story: Story) -> str:
    if not story.refusals:
        return _nothing("Nothing was tried that is not permitted.")
    worst = story.refusals.most_common()
    by_app: dict[str, int] = {}
    for (app, _, _), count in worst:
        by_app[app] = by_app.get(app, 0) + count
    bars = [Bar(app, [count]) for app, count in sorted(by_app.items(), key=lambda i: -i[1])]
    counted = [(app, kind, target, str(count)) for (app, kind, target), count in worst]
    last = [
        (_when(record.time), record.app, record.type, _details(record), record.reason)
        for record in reversed(story.refused)
    ]
    return (
        charts.stacked_bars((VIOLATIONS,), bars[:MAX_BARS])
        + "<h3>By day</h3>"
        + charts.columns_by_day((VIOLATIONS,), _by_day(story, ("violation",)))
        + _table(("App", "Rule", "At", "Times"), counted, numbers=(3,))
        + "<h3>The newest</h3>"
        + _table(("Time", "App", "Event", "Details", "Reason"), last)
        + _left_out(story, "refused")
    )


def _by_day(story: Story, words: Sequence[str]) -> list[tuple[int, list[int]]]:
    return [(day, [counts[word] for word in words]) for day, counts in sorted(story.days.items())]


def _lifecycle(story: Story) -> str:
    if not story.lifecycle:
        return _nothing("No app was started or ended.")
    rows = [
        (app, *(str(counts[word] or "–") for word in LIFECYCLE))
        for app, counts in sorted(story.lifecycle.items())
    ]
    names = ("App", *(word.capitalize() for word in LIFECYCLE))
    return _table(names, rows, numbers=tuple(range(1, len(names))))


def _changes(story: Story) -> str:
    if not story.changes:
        return _nothing("Configuration, policy, vault and log are as they were.")
    rows = [
        (_when(record.time), record.type, record.actor, record.app, _details(record))
        for record in reversed(story.changes)
    ]
    names = ("Time", "Event", "By", "App", "Details")
    return _table(names, rows) + _left_out(story, "changes")


def _verification(verdict: AuditVerdict) -> str:
    seq = verdict.seq if isinstance(verdict.seq, int) else ""
    rows = [
        ("Verdict", verdict.verdict),
        ("Records", f"{verdict.records:,}, from sequence {verdict.first:,}"),
        ("End held against", verdict.anchor),
        ("Verifier key", verdict.key),
    ]
    if verdict.reason:
        rows.append(("Reason", f"{verdict.reason} (file {verdict.file}, sequence {seq})"))
    rows += [(finding.kind, f"{finding.text} ({finding.file})") for finding in verdict.findings]
    facts = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(text)}</dd>" for name, text in rows)
    note = "\n".join(escaped(line) for line in verdict.checkpoint.strip("\n").split("\n"))
    return f"<dl>{facts}</dl><h3>Newest checkpoint</h3><pre>{note}</pre>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _nothing(words: str) -> str:
    return f'<p class="nothing">{words}</p>'


def _left_out(story: Story, name: str) -> str:
    count = story.left_out[name]
    return f'<p class="nothing">{count:,} older ones are in the log.</p>' if count else ""


def _table(
    names: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{_class_of(text, number=at in numbers)}>{_broken(text)}</{tag}>"
            for at, text in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><thead><tr>{cells(names, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def _class_of(text: str, *, number: bool) -> str:
    if number:
        return " class=number"
    return " class=long" if any(len(word) > MAX_WORD for word in _WORD.split(text)) else ""


def _broken(text: str) -> str:
    """May be broken behind a dot, a dash or a slash."""
    return _BREAK.sub(r"\1<wbr>", escaped(text))


def _details(record: AuditRecord) -> str:
    return ", ".join(f"{name} {value}" for name, value in record.details.items())


def _span(period: Period, story: Story) -> str:
    since = period.since_ms if period.since_ms is not None else story.first_ms
    until = period.until_ms if period.until_ms is not None else story.last_ms
    if since is None or until is None:
        return "no records"
    return f"{_when(since)} to {_when(until)}"


def _when(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
