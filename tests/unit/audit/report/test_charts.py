"""Charts of a report: to scale, in their place, and with nothing of a record as markup."""

import re
from xml.etree import ElementTree as ET

import pytest

from deskbus.audit.report.charts import (
    WIDTH,
    Bar,
    Series,
    TimelineBar,
    TimelineRow,
    columns_by_day,
    spans,
    stacked_bars,
)

TWO = [Series("allowed", "good"), Series("denied", "bad")]
HOSTILE = "</title><script>alert(1)</script>"


def numbers(chart: str, element: str, attribute: str) -> list[float]:
    root = ET.fromstring(f"<div>{chart}</div>")
    return [float(each.get(attribute, "")) for each in root.iter(element)]


def test_bars_are_as_long_as_their_values_beside_the_longest() -> None:
    chart = stacked_bars(TWO, [Bar("a", [3, 1]), Bar("b", [2, 0])])
    assert re.findall(r"width:([\d.]+)%", chart) == ["75.00", "25.00", "50.00"]


def test_columns_keep_the_place_of_a_day_without_anything() -> None:
    chart = columns_by_day(TWO, [(0, [1, 0]), (2, [1, 0])])
    first, last = numbers(chart, "rect", "x")
    assert last - first == pytest.approx(2 * (WIDTH - 40) / 3, abs=0.1)
    assert numbers(chart, "rect", "height") == [142, 142]


def test_a_span_that_began_before_the_report_begins_at_its_edge() -> None:
    row = TimelineRow(
        "desk.feed", [TimelineBar(-50, 50, False, ""), TimelineBar(50, 150, True, "")]
    )
    chart = spans([row], 0, 100)
    begins, widths = numbers(chart, "rect", "x"), numbers(chart, "rect", "width")
    assert begins[1] == begins[0] + widths[0]
    assert widths[0] == widths[1]
    assert chart.count("<path") == 1


def test_no_text_of_a_record_becomes_markup() -> None:
    series = [Series(HOSTILE, "good"), Series("b", "bad")]
    row = TimelineRow(HOSTILE, [TimelineBar(0, 1, True, HOSTILE)])
    for chart in (
        stacked_bars(series, [Bar(HOSTILE, [1, 1])]),
        columns_by_day(series, [(0, [1, 1])]),
        spans([row], 0, 1),
    ):
        assert "<script" not in chart
