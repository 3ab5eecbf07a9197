"""Every figure of a report is the count of a query: on random logs, and on those that are large."""

import math
import random
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec import UNSET, structs

from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch
from deskbus.audit.report.html_report import MAX_BARS, render
from deskbus.audit.report.report_data import (
    LIFE,
    MAX_LISTED,
    NO_APP,
    PERMISSIONS,
    SUMMARY,
    Period,
    gather,
)
from deskbus.audit.verify.verifier import Verifier, own_key
from deskbus.cli import main
from deskbus.observability.logs import log_pipeline
from deskbus.ui.panels.audit_panel import AuditPanel
from deskbus_protocol import events
from deskbus_protocol.audit import AuditPage, AuditQueryParams, AuditStats
from deskbus_protocol.events import (
    Fdc3Delivered,
    PermissionExpired,
    PermissionGranted,
    PermissionRequested,
    PermissionRevoked,
    TicketUsed,
    Violation,
)
from deskbus_protocol.panels import PanelQuery
from tests.unit.audit.rig import START_MS, Rig

HOUR_MS = 3_600_000
ALL = Period(None, None)
APPS = ["", "a.page", "b.page", "c.node"]


@pytest.fixture(autouse=True)
def loggers_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command would bind those of this process to a standard error that ends with the test."""
    monkeypatch.setattr(log_pipeline, "configure", lambda level: None)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "audit")


class Page(HTMLParser):
    """The tables of a page, and the numbers of its summary."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._tag = ""
        cells = re.findall(r"<div><b>([\d,]+)</b><span>([a-z]+)</span>", page)
        self.summary = {name: _number(value) for value, name in cells}
        self.feed(page.replace("<wbr>", ""))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_data(self, data: str) -> None:
        if self._tag in ("td", "th"):
            self.tables[-1][-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""

    def rows(self, column: str) -> list[dict[str, str]]:
        """Of the table that has this column, by the names of all; sums are the last row."""
        names, *rows = next(table for table in self.tables if column in table[0])
        return [dict(zip(names, row, strict=True)) for row in rows]


def _number(text: str) -> int:
    return 0 if text == "–" else int(text.replace(",", ""))


def random_events(chance: random.Random, count: int) -> Iterator[events.Event]:
    """Of every type that there is, for apps that are pages, processes, or nobody."""
    about = {"permission": "secrets", "scope": "own"}
    values = {
        "holds": "always", "limit": "memory", "kind": "acl", "origin": "https://a.example",
        "directive": "script-src", "format": "csv", "verdict": "OK", "records": 3, "what": "all",
        "through": 4, "files": 1, "folder": "f", "count": 7, "name": "disk",
        "context_type": "fdc3.instrument", "transport": "pipe", "max_links": 9,
        "max_links_of_app": 2, "method": "apps.restart", "until": 2_000_000_000_000,
        "by": "code", "site": "a.page", "number": "123 456", **about,
    }  # fmt: skip
    kinds = events.AuditEvent.__args__
    for _ in range(count):
        kind = chance.choice(kinds)
        fields = {name: values[name] for name in kind.__struct_fields__ if name in values}
        yield kind(app=chance.choice(APPS), actor=chance.choice(["person", "system"]), **fields)


def written(rig: Rig, wanted: Sequence[events.Event]) -> None:
    chain_writer = rig.open().chain_writer
    for event in wanted:
        rig.clock.pass_ms(HOUR_MS)
        rig.write(chain_writer, [event])
    rig.end(chain_writer)


def html_of(rig: Rig, period: Period = ALL) -> str:
    index = AuditIndex(rig.path)
    index.catch_up()
    told = gather(AuditSearch(rig.path, index), period)
    index.close()
    return render(told, Verifier(rig.path, own_key(rig.path)).run(), START_MS)


def page_of(rig: Rig, period: Period = ALL) -> Page:
    return Page(html_of(rig, period))


@pytest.fixture
def listed(rig: Rig, capsys: pytest.CaptureFixture[str]) -> Callable[[str], int]:
    """How many records a command lists, which is written as the report prints it."""

    def count(command: str) -> int:
        program, *arguments = shlex.split(command)
        assert program == "deskbus"
        capsys.readouterr()
        assert main([*arguments, "--log", str(rig.path)]) == 0
        return capsys.readouterr().out.count("\n")

    return count


@pytest.mark.requirement("8.5")
@pytest.mark.parametrize("seed", range(3))
def test_each_figure_of_a_report_is_the_count_of_a_query(
    rig: Rig, listed: Callable[[str], int], seed: int
) -> None:
    chance = random.Random(seed)
    written(rig, list(random_events(chance, 150)))
    since, until = START_MS + 20 * HOUR_MS, START_MS + 130 * HOUR_MS
    page = page_of(rig, Period(since, until))
    times = f" --since {since} --until {until}"
    assert page.summary == {one.name: listed(one.query + times) for one in SUMMARY}
    for column, figures in (("Requested", PERMISSIONS), ("Sessions", LIFE)):
        *rows, _ = page.rows(column)
        counted = {
            (row["App"], one.name): _number(row[one.name.capitalize()])
            for row in rows
            for one in figures
            if row["App"] != NO_APP
        }
        assert counted == {
            (app, name): listed(f"{one.query}{times} --app {app}")
            for app, name in counted
            for one in figures
            if one.name == name
        }
        assert {app for app, _ in counted} == set(APPS[1:])
    *kinds, total = page.rows("Rule")
    assert sum(_number(row["Records"]) for row in kinds) == page.summary["violations"]
    assert _number(total["Records"]) == page.summary["violations"]


def test_a_request_that_was_not_answered_and_a_refused_call_are_not_passed_over(rig: Rig) -> None:
    asked = PermissionRequested(app="a", permission="secrets", scope="own")
    written(rig, [asked, Violation(app="a", kind="acl")])
    page = page_of(rig)
    assert page.summary["requested"] == 1
    assert page.summary["denied"] == 1


def test_an_app_that_is_only_a_page_is_among_the_apps(rig: Rig) -> None:
    written(rig, [TicketUsed(app="a.page", client="main")])
    row, total = page_of(rig).rows("Sessions")
    assert (row["App"], row["Sessions"], row["Launched"]) == ("a.page", "1", "–")
    assert total["App"] == "1 app"


def test_the_report_tells_who_saw_a_context_and_who_allowed_it(rig: Rig) -> None:
    shared = Fdc3Delivered(
        app="a.page",
        client="main",
        trace_id="t",
        kind="broadcast",
        context_type="fdc3.instrument",
        channel="red",
        allowed_by="config",
        readers="b.page/main (person: always)",
        count=1,
    )
    written(rig, [shared, TicketUsed(app="a.page", client="main")])
    page = page_of(rig)
    [row] = page.rows("Seen by, and why")
    assert row["From"] == "a.page"
    assert (row["Allowed by"], row["Context"]) == ("config", "fdc3.instrument")
    assert (row["Seen by, and why"], row["Readers"]) == ("b.page/main (person: always)", "1")
    assert row["Intent or channel"] == "red"
    assert row["Trace"] == "t"
    *_, total = page.rows("Contexts and intents")
    assert total["Contexts and intents"] == "1"


def test_where_a_list_or_a_chart_leaves_something_out_the_report_says_so(rig: Rig) -> None:
    many = MAX_LISTED + 40
    written(rig, [Violation(app=f"app{at % 40}", kind="acl") for at in range(many)])
    text = html_of(rig)
    assert f"Not drawn: {40 - MAX_BARS} other apps with {6 * (40 - MAX_BARS)} in all" in text
    assert f"the newest {MAX_LISTED} of {many}; deskbus audit query" in text.replace("<wbr>", "")
    *rows, total = Page(text).rows("Rule")
    assert len(rows) == 40
    assert _number(total["Calls"]) == many
    grants = [
        PermissionGranted(app=f"b{at}", permission="secrets", scope="own", holds="always")
        for at in range(MAX_BARS)
    ]
    written(rig, grants)
    page = html_of(rig)
    assert f"Drawn are the first {MAX_BARS // 2} of {MAX_BARS}; the table has all." in page


def test_what_held_while_an_app_ran_or_once_is_not_held_still(rig: Rig) -> None:
    def grant(app: str, holds: events.Holds) -> PermissionGranted:
        return PermissionGranted(app=app, permission="secrets", scope="own", holds=holds)

    grants = [
        grant("a", "session"),
        grant("b", "once"),
        grant("c", "session"),
        grant("d", "always"),
    ]
    written(rig, [*grants, PermissionExpired(app="a", permission="secrets", scope="own")])
    written(rig, [TicketUsed(app="d", client="main")])
    ended = {row["App"]: row["Until"].partition("(")[2] for row in page_of(rig).rows("Until")}
    assert ended == {"a": "expired)", "b": "used once)", "c": "the backend ended)", "d": ""}


def test_a_grant_of_the_configuration_outlives_what_a_person_takes_back(rig: Rig) -> None:
    by_person = PermissionGranted(
        app="a", permission="secrets", scope="own", holds="always", actor="person"
    )
    revoked = PermissionRevoked(app="a", permission="secrets", scope="own", actor="person")
    written(rig, [structs.replace(by_person, actor="policy"), by_person, revoked])
    held = {row["By"]: row["Until"].partition("(")[2] for row in page_of(rig).rows("Until")}
    assert held == {"the configuration": "", "person": "revoked)"}


def test_a_query_says_when_its_limit_left_records_out(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    rig.run(120)
    for limit, printed, is_told in ((100, 100, True), (120, 120, False), (0, 120, False)):
        assert main(["audit", "query", "--log", str(rig.path), "--limit", str(limit)]) == 0
        said = capsys.readouterr()
        assert said.out.count("\n") == printed
        assert ("the newest 100 records; --limit 0 prints all" in said.err) == is_told
    assert main(["audit", "query", "--log", str(rig.path), "--limit", "-1"]) == 2


class Files:
    """The audit log that a panel reads, answered as `audit query` answers."""

    def __init__(self, rig: Rig) -> None:
        self.index = AuditIndex(rig.path)
        self.total = self.index.catch_up()
        self.search = AuditSearch(rig.path, self.index)

    async def query(self, params: AuditQueryParams) -> AuditPage:
        cursor = params.cursor if isinstance(params.cursor, int) else None
        found = self.search.find(
            params, order=params.order, limit=params.limit, cursor=cursor, within_s=math.inf
        )
        cursor_behind = UNSET if found.cursor is None else found.cursor
        return AuditPage(records=found.records, total=self.total, cursor=cursor_behind)

    async def stats(self) -> AuditStats:
        return AuditStats(
            records=self.total, pruned=0, files=1, bytes=1, state="ok", detail="",
            by_type={}, by_app={}, by_decision={}, by_severity={},
        )  # fmt: skip


@pytest.mark.requirement("3.5")
@pytest.mark.parametrize(
    ("filters", "command"),
    [
        ({}, "deskbus audit query --limit 0"),
        ({"decision": "denied"}, "deskbus audit query --limit 0 --decision denied"),
        ({"type": "app.*"}, "deskbus audit query --limit 0 --type 'app.*'"),
        ({"app": "b.page"}, "deskbus audit query --limit 0 --app b.page"),
    ],
)
async def test_the_pages_of_the_panel_have_what_the_query_lists_forwards_and_back(
    rig: Rig, listed: Callable[[str], int], filters: dict[str, str], command: str
) -> None:
    written(rig, list(random_events(random.Random(5), 650)))
    files = Files(rig)
    panel = AuditPanel(files, lambda: None)  # type: ignore[arg-type]
    pages = [await panel.describe(PanelQuery(filters=filters))]
    while isinstance(pages[-1].next, str):
        pages.append(await panel.describe(PanelQuery(filters=filters, cursor=pages[-1].next)))
    rows = [row.id for page in pages for row in page.rows]
    assert len(rows) == len(set(rows)) == listed(command)
    back = pages[-1]
    for before in reversed(pages[:-1]):
        assert isinstance(back.previous, str)
        back = await panel.describe(PanelQuery(filters=filters, cursor=back.previous))
        assert [row.id for row in back.rows] == [row.id for row in before.rows]
    assert back.previous is UNSET
    files.index.close()
