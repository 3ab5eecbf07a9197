"""A panel in a terminal: a table that fits, with what the window would show."""

from deskbus.commands.panel import lines_of
from deskbus_protocol.panels import (
    PanelCell,
    PanelColumn,
    PanelContent,
    PanelGroup,
    PanelMessage,
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
