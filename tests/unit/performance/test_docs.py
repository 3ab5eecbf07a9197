"""The table of docs/performance.md comes from one run, as results.json has it."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tests.performance import bench
from tests.performance.report import docs
from tests.performance.report.outcome import Measured, Result, write
from tests.performance.report.rows import ROWS, Goal, Row

KEYS = ["name", "unit", "ours", "peers", "against", "ratio", "goal", "met"]


def measured(name: str, ours: float, **peers: float) -> Measured:
    row = next(row for row in ROWS if row.name == name)
    values = {row.ours: ours, **peers}
    return Measured(
        row=row, medians={key: {row.figure: one} for key, one in values.items()}, runs={}
    )


def test_a_row_of_the_results_has_these_members_and_no_other(tmp_path: Path) -> None:
    write([measured("1 → 1", 200.0, nats=100.0), measured("memory, idle", 50.0)], {}, tmp_path)
    rows = msgspec.json.decode((tmp_path / "results.json").read_bytes())
    assert [list(row) for row in rows] == [KEYS, KEYS]
    assert rows[0]["ratio"] == 2.0
    assert rows[0]["against"] == "nats"
    assert rows[1]["ratio"] is None
    assert rows[1]["against"] is None


@pytest.mark.parametrize(
    ("ours", "met"), [(-0.8, True), (0.0, True), (1.9, True), (2.0, True), (2.1, False)]
)
def test_a_cost_of_nothing_or_less_meets_its_goal(ours: float, met: bool) -> None:
    result = measured("audit, cost of a publish", ours).result()
    assert result is not None
    assert result.met is met


@pytest.mark.parametrize(("ours", "met"), [(-1.0, False), (0.0, False), (0.95, True)])
def test_a_rate_of_nothing_misses_its_goal(ours: float, met: bool) -> None:
    result = measured("publish rate with 1,000 grants", ours).result()
    assert result is not None
    assert result.met is met


def test_a_row_with_several_goals_tells_of_the_hardest() -> None:
    row = Row(
        name="x", unit="u", figure="f", measure=lambda _, __: {}, peers=("p", "q"),
        goals=(Goal(limit=1.0, against="p"), Goal(limit=1.0, against="q")),
    )  # fmt: skip
    each = Measured(
        row=row, medians={"deskbus": {"f": 2.0}, "p": {"f": 4.0}, "q": {"f": 1.0}}, runs={}
    )
    result = each.result()
    assert result is not None
    assert (result.against, result.met) == ("q", False)


def test_the_table_stands_between_its_marks_and_is_replaced_whole(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{docs.BEGIN} -->\nold\n{docs.END}\nafter\n", "utf-8")
    results = [
        result
        for each in (
            measured("1 → 1", 200.0, nats=100.0),
            measured("audit, cost of a publish", -0.8),
        )
        if (result := each.result())
    ]
    for _ in range(2):
        docs.write(results, datetime(2026, 5, 4, tzinfo=UTC), page)
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert text.count("| what |") == text.count("2026-05-04") == 1
    assert "| 1 → 1 | 200 | msg/s | nats 100 | ≥ 1.20 × nats; it is 2 × | yes |" in text
    assert "| audit, cost of a publish | -0.80 | % |  | ≤ 2 | yes |" in text
    assert "2 of 2 goals met" in text


def test_the_page_has_marks_for_its_table(tmp_path: Path) -> None:
    copy = tmp_path / "performance.md"
    copy.write_bytes(docs.PAGE.read_bytes())
    docs.write([], datetime(2026, 5, 4, tzinfo=UTC), copy)
    without = tmp_path / "other.md"
    without.write_text("no marks", "utf-8")
    with pytest.raises(ValueError, match="needs one"):
        docs.write([], datetime(2026, 5, 4, tzinfo=UTC), without)


def test_a_file_that_is_no_result_is_said_to_be_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    path.write_text('[{"name": "x"}]', "utf-8")
    assert docs.main([str(path)]) == 1
    assert "is no result of a run" in capsys.readouterr().err


@pytest.mark.parametrize("part", [["--quick"], ["--rows", "1-1"]])
def test_a_part_of_a_run_is_not_written_into_the_page(part: list[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["--docs", *part])


def test_results_name_each_row_once() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert list(Result.__struct_fields__) == KEYS


def test_rows_of_the_same_runs_are_measured_once() -> None:
    answers = next(row for row in ROWS if row.name == "request and response")
    alone = next(row for row in ROWS if row.name == "request and response, alone")
    one_to_one = next(row for row in ROWS if row.name == "1 → 1")
    assert answers.runs_as(alone)
    assert not answers.runs_as(one_to_one)
    figures = {"per_second": 30_000.0, "p50_us": 90.0}
    runs = Measured(row=answers, medians={"deskbus": figures}, runs={"deskbus": [figures]})
    assert (runs.ours, runs.read_as(alone).ours) == (30_000.0, 90.0)


def test_versions_and_load_of_the_run_are_told_below_its_table() -> None:
    notes = docs.Notes(
        versions={"nats-server": "2.9.10"}, machine=docs.Machine(load=(3.0,), load_before=(0.5,))
    )
    told = docs.section([], datetime(2026, 5, 4, tzinfo=UTC), notes)
    assert "Versions: nats-server 2.9.10." in told
    assert "before and after the run: 0.5 and 3.0" in told
