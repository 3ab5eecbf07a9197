"""A panel in a terminal: a table that fits, with what the window would show."""

from typing import Any, cast

import pytest
from msgspec import UNSET

from deskbus.commands.panel import MAX_ROWS, all_pages, lines_of
from deskbus_protocol.client import Client
from deskbus_protocol.panels import (
    PanelCell,
    PanelColumn,
    PanelContent,
    PanelGroup,
    PanelMessage,
    PanelQuery,
    PanelRow,
    PanelVerdict,
)

COLUMNS = [PanelColumn(id="what", title="What"), PanelColumn(id="scope", title="Scope")]


def content(*rows: tuple[str, str]) -> PanelContent:
    return PanelContent(
        title="Permissions",
        columns=COLUMNS,
        verdict=PanelVerdict(text="All is well."),
        groups=[PanelGroup(id="test.app", title="Test")],
        rows=[
            PanelRow(id=str(at), group="test.app", cells=[PanelCell(text=text) for text in row])
            for at, row in enumerate(rows)
        ],
        summary="2 decisions",
        empty=PanelMessage(title="No decisions yet"),
    )


def test_rows_stand_below_their_headings_with_their_app() -> None:
    assert lines_of(content(("Read messages", "prices.#"), ("Send", "x")), 80) == [
        "Permissions",
        "All is well.",
        "",
        "App   What           Scope",
        "Test  Read messages  prices.#",
        "Test  Send           x",
        "",
        "2 decisions",
    ]


def test_what_is_too_wide_is_cut_where_there_is_most() -> None:
    lines = lines_of(content(("Read messages", "x" * 200)), 60)
    assert max(map(len, lines)) == 60
    assert "Read messages" in lines[4]
    assert lines[4].endswith("x…")


def test_a_panel_without_rows_says_why() -> None:
    assert lines_of(content(), 80)[-1] == "No decisions yet"


class Pages:
    """A backend with a panel of some pages, whose cursors are their numbers."""

    def __init__(self, pages: int, rows: int) -> None:
        self.asked = 0
        self._pages, self._rows = pages, rows

    async def call(self, method: str, params: dict[str, Any], result: type[Any]) -> PanelContent:
        assert method == "panels.describe"
        self.asked += 1
        at = int(params["query"].get("cursor") or 0)
        rows = [
            PanelRow(id=f"{at}.{row}", group="app", cells=[PanelCell(text="x")])
            for row in range(self._rows)
        ]
        return PanelContent(
            title="Permissions",
            columns=[PanelColumn(id="what", title="What")],
            groups=[PanelGroup(id="app", title="An app")],
            rows=rows,
            summary=f"page {at}",
            next=str(at + 1) if at + 1 < self._pages else UNSET,
        )


async def test_all_pages_of_a_panel_are_printed_each_group_once() -> None:
    backend = Pages(3, 2)
    whole = await all_pages(cast(Client, backend), "permissions", PanelQuery())
    assert [row.id for row in whole.rows] == ["0.0", "0.1", "1.0", "1.1", "2.0", "2.1"]
    assert [group.id for group in whole.groups] == ["app"]
    assert whole.summary == "6 rows"
    single = await all_pages(cast(Client, Pages(1, 2)), "permissions", PanelQuery())
    assert single.summary == "page 0"


async def test_a_panel_that_never_ends_is_cut_and_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    backend = Pages(MAX_ROWS, 500)
    whole = await all_pages(cast(Client, backend), "audit", PanelQuery())
    assert len(whole.rows) == MAX_ROWS
    assert backend.asked == MAX_ROWS // 500
    assert "these are the first 10,000 rows" in capsys.readouterr().err
