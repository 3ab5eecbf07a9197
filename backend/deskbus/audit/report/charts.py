"""Charts as SVG, to stand within a page: no script, no font and no picture from elsewhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from deskbus.audit.report.html_escaping import escaped
from deskbus_protocol.wording.quantity import number

WIDTH = 720
SPAN_LABEL_WIDTH = 270
ROW = 26

DAY_MS = 86_400_000


class Series(NamedTuple):
    """One colour of a chart; `tone` names it in the page's style sheet."""

    name: str
    tone: str


class Bar(NamedTuple):
    label: str
    values: Sequence[int]


class TimelineBar(NamedTuple):
    """From `since_ms` until `until_ms`; `open` where it has not ended."""

    since_ms: int
    until_ms: int
    open: bool
    title: str


class TimelineRow(NamedTuple):
    """A row of spans; one without spans is a heading."""

    label: str
    spans: Sequence[TimelineBar]


def stacked_bars(series: Sequence[Series], bars: Sequence[Bar]) -> str:
    """One row for each bar, its parts side by side, and their sum."""
    most = max((sum(bar.values) for bar in bars), default=0) or 1
    rows = []
    for bar in bars:
        parts = "".join(
            f'<i class="{one.tone}" style="width:{100 * value / most:.2f}%" '
            f'title="{number(value)} {escaped(one.name)}"></i>'
            for one, value in zip(series, bar.values, strict=True)
            if value
        )
        rows.append(
            f'<div><span title="{escaped(bar.label)}">{escaped(_shortened(bar.label, 30))}</span>'
            f"<span>{parts}<b>{number(sum(bar.values))}</b></span></div>"
        )
    return f'<div class="bars">{"".join(rows)}</div>{legend(series)}'


def columns_by_day(series: Sequence[Series], days: Sequence[tuple[int, Sequence[int]]]) -> str:
    """One column for each day (days since 1970, UTC); a day without anything keeps its place."""
    height, bottom = 150, 22
    most = max((sum(values) for _, values in days), default=0) or 1
    first, last = days[0][0], days[-1][0]
    step = (WIDTH - 40) / (last - first + 1)
    width = max(min(step * 0.72, 36.0), 1.0)
    scale = f'<text class="axis" x="0" y="12">{number(most)}</text>'
    line = f'<line class="axis" x1="30" x2="{WIDTH}" y1="{height}" y2="{height}"/>'
    parts = [scale, f'<text class="axis" x="0" y="{height}">0</text>', line]
    for day, values in days:
        x = 34 + (day - first) * step + (step - width) / 2
        y = float(height)
        for one, value in zip(series, values, strict=True):
            tall = (height - 8) * value / most
            y -= tall
            if value:
                title = f"<title>{_day(day)}: {number(value)} {escaped(one.name)}</title>"
                parts.append(
                    f'<rect class="{one.tone}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                    f'height="{max(tall, 1):.1f}">{title}</rect>'
                )
    every = max(1, round((last - first + 1) / 8))
    for day in range(first, last + 1, every):
        x = 34 + (day - first) * step + step / 2
        parts.append(
            f'<text class="axis middle" x="{x:.1f}" y="{height + 15}">{_day(day)[5:]}</text>'
        )
    return _svg(height + bottom, parts) + legend(series)


def spans(lanes: Sequence[TimelineRow], since_ms: int, until_ms: int) -> str:
    """Spans on one axis of time; one that has not ended has an arrow."""
    room = WIDTH - SPAN_LABEL_WIDTH - 20
    length = max(until_ms - since_ms, 1)
    parts = []
    for row, lane in enumerate(lanes):
        y = row * ROW
        kind, indent = ("row", 14) if lane.spans else ("group", 0)
        parts.append(
            f'<text class="{kind}" x="{indent}" y="{y + 17}">{escaped(_shortened(lane.label, 42))}'
            f"<title>{escaped(lane.label)}</title></text>"
        )
        for span in lane.spans:
            begins = SPAN_LABEL_WIDTH + room * max(span.since_ms - since_ms, 0) / length
            ends = SPAN_LABEL_WIDTH + room * min(span.until_ms - since_ms, length) / length
            width = max(ends - begins, 3.0)
            parts.append(
                f'<rect class="held" x="{begins:.1f}" y="{y + 6}" width="{width:.1f}" '
                f'height="{ROW - 12}" rx="2"><title>{escaped(span.title)}</title></rect>'
            )
            if span.open:
                parts.append(
                    f'<path class="held" d="M{begins + width - 1:.1f},{y + 3} l9,{(ROW - 6) / 2} '
                    f'l-9,{(ROW - 6) / 2} z"/>'
                )
    y = len(lanes) * ROW
    left, right = SPAN_LABEL_WIDTH, WIDTH - 20
    parts.append(f'<line class="axis" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>')
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        text = _moment(since_ms + int(length * share))
        parts.append(
            f'<text class="axis {anchor}" x="{left + room * share:.1f}" y="{y + 15}">{text}</text>'
        )
    return _svg(y + 22, parts)


def legend(series: Sequence[Series]) -> str:
    """The legend; empty for a single colour, which the heading explains."""
    if len(series) < 2:
        return ""
    items = "".join(
        f'<li><span class="swatch {one.tone}"></span>{escaped(one.name)}</li>' for one in series
    )
    return f'<ul class="legend">{items}</ul>'


def _svg(height: int, parts: Sequence[str]) -> str:
    return (
        f'<div class="wide"><svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'preserveAspectRatio="xMinYMin">{"".join(parts)}</svg></div>'
    )


def _shortened(text: str, limit: int) -> str:
    """Shortens a label but keeps its end, which tells ids apart."""
    return text if len(text) <= limit else f"…{text[1 - limit :]}"


def _day(day: int) -> str:
    return f"{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y-%m-%d}"


def _moment(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"
