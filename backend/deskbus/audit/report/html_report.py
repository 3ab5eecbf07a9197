"""The compliance report: one HTML file, to read and to print, that loads nothing from anywhere."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from deskbus.audit.report import charts, report_data
from deskbus.audit.report.charts import Bar, Series, TimelineBar, TimelineRow
from deskbus.audit.report.html_escaping import escaped
from deskbus.audit.report.report_data import NO_APP, Figure, Listing, Period, ReportData
from deskbus.audit.report.style_sheet import STYLE
from deskbus.languages.language import english
from deskbus.languages.permission_words import hold_words
from deskbus_protocol.audit import AuditRecord, AuditVerdict
from deskbus_protocol.wording.quantity import counted, number

MAX_BARS = 30
"""Rows of a chart; what goes beyond is named beside it, and the tables have it."""

MAX_WORD = 28
_WORD = re.compile(r"[\s./_-]")
_BREAK = re.compile(r"([./_-])(?=\w)")

_SERIES = {
    report_data.REQUESTED: Series("requested", "requested"),
    report_data.GRANTED: Series("allowed", "allowed"),
    report_data.WITHHELD: Series("denied", "denied"),
    report_data.VIOLATIONS: Series("violations", "violated"),
}
_DECIDED = (report_data.GRANTED, report_data.WITHHELD)

_VERDICTS = {
    "OK": ("good", "The log is whole", "Every record of the log is there, in order, as written."),
    "UNCLEAN TAIL": (
        "caution",
        "The log is whole up to an unclean end",
        "The backend did not end in order. Nothing that was signed is missing.",
    ),
    "UNANCHORED": (
        "caution",
        "The log is whole, but its end is not proven",
        "Its records are in order, as written; some may be missing at the end.",
    ),
    "TAMPERED": (
        "bad",
        "The log was tampered with",
        "This report can't be relied on.",
    ),
}


def render(data: ReportData, verdict: AuditVerdict, made_ms: int) -> str:
    """The page; `made_ms` is when (Unix milliseconds)."""
    sections = [
        _summary(data, verdict),
        _section("Permissions", _decisions(data)),
        _section("Who held which permission, and when", _holdings(data, made_ms)),
        _section("Violations", _violations(data)),
        _section("Apps", _apps(data)),
        _section("Who saw which context, and who allowed it", _shared(data)),
        _section("Changes to the system", _changes(data)),
        _section("Verification", _verification(verdict)),
        _section("Figures", _figures()),
    ]
    period = _span(data.period, data)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Audit report, {period}</title><style>{STYLE}</style></head><body>"
        f"<header><p>deskbus</p><h1>Audit report</h1><p class=period>{period}"
        f"</p></header>{''.join(sections)}"
        f"<footer>Made {_when(made_ms)} from {counted(data.records, 'record')}. "
        "All times are UTC.</footer></body></html>\n"
    )


def _summary(data: ReportData, verdict: AuditVerdict) -> str:
    tone, title, words = _VERDICTS[verdict.verdict]
    reason = "".join(f" {escaped(text)}." for text in (verdict.reason, verdict.action) if text)
    notes = {
        report_data.ALLOWED: counted(data.count(report_data.GRANTED), "permission"),
        report_data.DENIED: counted(data.count(report_data.WITHHELD), "permission"),
        report_data.VIOLATIONS: counted(sum(times for _, times in data.refusals.values()), "call"),
    }
    cells = "".join(
        f"<div><b>{number(data.count(figure))}</b><span>{figure.name}</span>"
        f"<small>{notes.get(figure, '')}</small></div>"
        for figure in report_data.SUMMARY
    )
    return (
        f'<section class="verdict {tone}"><h2>{title}</h2><p>{words}{reason}</p></section>'
        f'<section class="figures">{cells}</section>'
    )


def _decisions(data: ReportData) -> str:
    rows = _by_app(data, report_data.PERMISSIONS)
    if not rows:
        return _nothing("The log has no request for a permission and no decision on one.")
    decided = [(app, [data.count(figure, app) for figure in _DECIDED]) for app, _ in rows]
    bars = [Bar(app or NO_APP, counts) for app, counts in decided if sum(counts)]
    chart = ""
    if bars:
        chart = _bars(_DECIDED, bars) + "<h3>By day</h3>" + _by_day(data, _DECIDED)
    return chart + _counts(rows, report_data.PERMISSIONS)


def _by_app(data: ReportData, figures: Sequence[Figure]) -> list[tuple[str, list[int]]]:
    """The apps that have anything to count, those with the most first."""
    rows = [(app, [data.count(figure, app) for figure in figures]) for app in data.apps]
    return sorted((row for row in rows if any(row[1])), key=lambda row: (-sum(row[1]), row[0]))


def _counts(rows: Sequence[tuple[str, Sequence[int]]], figures: Sequence[Figure]) -> str:
    """A row for each app, and their sums."""
    names = ("App", *(figure.name.capitalize() for figure in figures))
    cells = [(app or NO_APP, *(number(one) if one else "–" for one in each)) for app, each in rows]
    sums = [sum(column) for column in zip(*(each for _, each in rows), strict=True)]
    total = (counted(len(rows), "app"), *(number(one) for one in sums))
    return _table(names, cells, numbers=range(1, len(names)), total=total)


def _bars(figures: Sequence[Figure], bars: Sequence[Bar]) -> str:
    """The longest, drawn; all others in a sentence, for as one bar they would dwarf them."""
    bars = sorted(bars, key=lambda bar: (-sum(bar.values), bar.label))
    drawn, rest = bars[:MAX_BARS], bars[MAX_BARS:]
    chart = charts.stacked_bars([_SERIES[one] for one in figures], drawn)
    if not rest:
        return chart
    others = f"{counted(len(rest), 'other app')} with {number(sum(sum(b.values) for b in rest))}"
    return chart + _nothing(f"Not drawn: {others} in all; the table below counts them.")


def _by_day(data: ReportData, figures: Sequence[Figure]) -> str:
    counts = [data.by_day(figure) for figure in figures]
    days = sorted({day for each in counts for day in each})
    columns = [(day, [each.get(day, 0) for each in counts]) for day in days]
    return charts.columns_by_day([_SERIES[figure] for figure in figures], columns)


def _holdings(data: ReportData, made_ms: int) -> str:
    if not data.holdings:
        return _nothing("The log has no permission that was granted.")
    begins = data.period.since_ms
    since = min(one.since_ms for one in data.holdings) if begins is None else begins
    until = data.period.until_ms or data.last_ms or made_ms
    table = [
        (
            one.app,
            one.permission,
            one.scope,
            hold_words(english(), one.holds),
            one.actor,
            _when(one.since_ms),
            "still held" if one.until_ms is None else f"{_when(one.until_ms)} ({one.ended})",
        )
        for one in data.holdings
    ]
    names = ("App", "Permission", "Scope", "For", "By", "From", "Until")
    rows = _timeline_rows(data, until)
    cut = ""
    if len(rows) > MAX_BARS:
        shown = sum(1 for row in rows[:MAX_BARS] if row.spans)
        of = sum(1 for row in rows if row.spans)
        cut = _nothing(f"Drawn are the first {shown} of {number(of)}; the table has all.")
    return charts.spans(rows[:MAX_BARS], since, until) + cut + _table(names, table)


def _timeline_rows(data: ReportData, until: int) -> list[TimelineRow]:
    """A heading for each app, and below it a row for each permission that it held."""
    held: dict[str, dict[str, list[TimelineBar]]] = {}
    for one in data.holdings:
        row = held.setdefault(one.app, {}).setdefault(f"{one.permission} {one.scope}", [])
        ends = until if one.until_ms is None else one.until_ms
        title = f"{one.app} held {one.permission} on {one.scope} from {_when(one.since_ms)}"
        row.append(TimelineBar(one.since_ms, ends, one.until_ms is None or ends > until, title))
    rows = []
    for app, permissions in held.items():
        rows += [
            TimelineRow(app, []),
            *(TimelineRow(label, spans) for label, spans in permissions.items()),
        ]
    return rows


def _violations(data: ReportData) -> str:
    if not data.refusals:
        return _nothing("Nothing was tried that is not permitted.")
    rows = _by_app(data, (report_data.VIOLATIONS,))
    bars = [Bar(app or NO_APP, counts) for app, counts in rows]
    worst = sorted(data.refusals.items(), key=lambda item: (-item[1][1], item[0]))
    table = [(*what, number(records), number(times)) for what, (records, times) in worst]
    names = ("App", "Event", "Rule", "At", "Records", "Calls")
    total = (
        "In all",
        "",
        "",
        "",
        *(number(sum(each)) for each in zip(*dict(worst).values(), strict=True)),
    )
    last = [
        (_when(record.time), record.app, record.type, _details(record), record.reason)
        for record in reversed(data.refused.records)
    ]
    return (
        _bars((report_data.VIOLATIONS,), bars)
        + "<h3>By day</h3>"
        + _by_day(data, (report_data.VIOLATIONS,))
        + _nothing("A record tells of one refused call, or of all like it within a moment.")
        + _table(names, table, numbers=(4, 5), total=total)
        + "<h3>The newest</h3>"
        + _table(("Time", "App", "Event", "Details", "Reason"), last)
        + _left_out(data.refused, report_data.VIOLATIONS)
    )


def _apps(data: ReportData) -> str:
    rows = [
        (app, [data.count(figure, app) for figure in (*report_data.LIFE, report_data.RECORDS)])
        for app in sorted(data.apps)
        if app
    ]
    if not rows:
        return _nothing("No record is about an app.")
    return _counts(rows, (*report_data.LIFE, report_data.RECORDS))


def _changes(data: ReportData) -> str:
    if not data.changes.records:
        return _nothing("Configuration, policy, vault and log are as they were.")
    rows = [
        (_when(record.time), record.type, record.actor, record.app, _details(record))
        for record in reversed(data.changes.records)
    ]
    names = ("Time", "Event", "By", "App", "Details")
    return _table(names, rows) + _left_out(data.changes, report_data.CHANGES)


def _shared(data: ReportData) -> str:
    """Contexts and intents of FDC3, each with its readers and what permitted them."""
    if not data.shared.records:
        return _nothing("No context was shared and no intent was raised (FDC3).")
    rows = []
    for record in reversed(data.shared.records):
        told = {name: str(value) for name, value in record.details.items()}
        rows.append(
            (
                _when(record.time),
                record.app,
                told.get("allowedBy", ""),
                told.get("contextType", ""),
                told.get("intent") or told.get("channel") or told.get("kind", ""),
                told.get("readers") or "nobody",
                number(int(told.get("count", "0"))),
                record.trace_id,
            )
        )
    names = (
        *("Time", "From", "Allowed by", "Context", "Intent or channel"),
        *("Seen by, and why", "Readers", "Trace"),
    )
    figures = (report_data.SHARED,)
    return (
        _counts(_by_app(data, figures), figures)
        + "<h3>The newest</h3>"
        + _table(names, rows, numbers=(6,))
        + _left_out(data.shared, report_data.SHARED)
    )


def _verification(verdict: AuditVerdict) -> str:
    seq = verdict.seq if isinstance(verdict.seq, int) else ""
    rows = [
        ("Verdict", verdict.verdict),
        ("Records", f"{number(verdict.records)}, from sequence {number(verdict.first)}"),
        ("End held against", verdict.anchor),
        ("Verifier key", verdict.key),
    ]
    if verdict.reason:
        where = f" (file {verdict.file}, sequence {seq})" if verdict.file else ""
        rows.append(("Reason", f"{verdict.reason}{where}"))
    if verdict.action:
        rows.append(("What to do", verdict.action))
    rows += [(finding.kind, f"{finding.text} ({finding.file})") for finding in verdict.findings]
    facts = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(text)}</dd>" for name, text in rows)
    note = "\n".join(escaped(line) for line in verdict.checkpoint.strip("\n").split("\n"))
    return f"<dl>{facts}</dl><h3>Newest checkpoint</h3><pre>{note}</pre>"


def _figures() -> str:
    """Anybody can count again."""
    figures = dict.fromkeys(
        (
            *report_data.SUMMARY,
            *report_data.PERMISSIONS,
            *report_data.LIFE,
            report_data.SHARED,
        )
    )
    rows = [(one.name.capitalize(), one.query) for one in figures]
    words = "Each figure counts what this query lists, with the period's --since and --until."
    return _nothing(words) + _table(("Figure", "Query"), rows)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"


def _nothing(words: str) -> str:
    return f'<p class="nothing">{words}</p>'


def _left_out(listing: Listing, figure: Figure) -> str:
    if not listing.left_out:
        return ""
    shown, of = len(listing.records), len(listing.records) + listing.left_out
    words = f"These are the newest {number(shown)} of {number(of)}; {figure.query} lists all."
    return _nothing(escaped(words))


def _table(
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    total: Sequence[str] = (),
) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{_class_of(text, number=at in numbers)}>{_broken(text)}</{tag}>"
            for at, text in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    foot = f"<tfoot><tr>{cells(total, 'td')}</tr></tfoot>" if total else ""
    return (
        f'<div class="wide"><table><thead><tr>{cells(names, "th")}</tr></thead>'
        f"<tbody>{body}</tbody>{foot}</table></div>"
    )


def _class_of(text: str, *, number: bool) -> str:
    if number:
        return " class=number"
    return " class=long" if any(len(word) > MAX_WORD for word in _WORD.split(text)) else ""


def _broken(text: str) -> str:
    """May be broken behind a dot, a dash or a slash."""
    return _BREAK.sub(r"\1<wbr>", escaped(text))


def _details(record: AuditRecord) -> str:
    return ", ".join(f"{name} {value}" for name, value in record.details.items())


def _span(period: Period, data: ReportData) -> str:
    since = period.since_ms if period.since_ms is not None else data.first_ms
    until = period.until_ms if period.until_ms is not None else data.last_ms
    if since is None or until is None:
        return "no records"
    return f"{_when(since)} to {_when(until)}"


def _when(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
