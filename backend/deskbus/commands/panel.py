"""`deskbus panel`: opens a panel in the shell; where there is none, prints what it would show."""

import shutil
import sys
from argparse import Namespace
from datetime import UTC, datetime

import msgspec
from msgspec import UnsetType

from deskbus.commands.connected import run_connected
from deskbus_protocol.client import Client
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.panels import (
    OpenedPanel,
    OpenPanelParams,
    PanelCell,
    PanelContent,
    PanelList,
    PanelQuery,
    PanelRow,
)
from deskbus_protocol.quantity import counted

MAX_ROWS = 10_000
"""Printed of one panel; the audit panel leads through a log of any length."""

MIN_WIDTH = 8
"""Of a column, in characters."""


def run(options: Namespace) -> int:
    async def show(client: Client) -> None:
        if options.name is None:
            names = await client.call("panels.list", {}, result=PanelList)
            sys.stdout.write(msgspec.json.encode(names.names).decode() + "\n")
            return
        query = PanelQuery(search=options.search)
        params = msgspec.to_builtins(OpenPanelParams(name=options.name, query=query))
        if not options.print:
            try:
                await client.call("panels.open", params, result=OpenedPanel)
            except DeskbusError as error:
                if error.kind is not UNAVAILABLE:
                    raise
            else:
                sys.stderr.write(f"The panel {options.name} is open.\n")
                return
        content = await all_pages(client, options.name, query)
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns
            sys.stdout.write("\n".join(lines_of(content, width)) + "\n")
        else:
            sys.stdout.write(msgspec.json.encode(content).decode() + "\n")

    return run_connected(options.data_dir, show)


async def all_pages(client: Client, name: str, query: PanelQuery) -> PanelContent:
    """All pages as one, up to `MAX_ROWS`; standard error says where there are more."""
    whole: PanelContent | None = None
    while True:
        params = msgspec.to_builtins(OpenPanelParams(name=name, query=query))
        page = await client.call("panels.describe", params, result=PanelContent)
        whole = page if whole is None else _joined(whole, page)
        if isinstance(page.next, UnsetType):
            return whole
        if len(whole.rows) >= MAX_ROWS:
            words = f"these are the first {counted(len(whole.rows), 'row')}; search narrows them"
            sys.stderr.write(f"deskbus: {words}\n")
            return whole
        query = msgspec.structs.replace(query, cursor=page.next)


def _joined(whole: PanelContent, page: PanelContent) -> PanelContent:
    groups = {group.id: group for group in (*whole.groups, *page.groups)}
    rows = [*whole.rows, *page.rows]
    return msgspec.structs.replace(
        whole,
        groups=list(groups.values()),
        rows=rows,
        summary=counted(len(rows), "row"),
        next=page.next,
    )


def lines_of(content: PanelContent, width: int) -> list[str]:
    """The panel as a table of at most `width` characters; control characters came escaped."""
    lines = [content.title]
    if not isinstance(content.verdict, UnsetType):
        lines.append(content.verdict.text)
    lines += [f"{fact.label}: {fact.text}" for fact in content.facts]
    lines.append("")
    if not content.rows:
        empty = content.empty
        lines.append("Nothing here" if isinstance(empty, UnsetType) else empty.title)
        return lines
    table = [[column.title for column in content.columns]]
    names = {group.id: group.title for group in content.groups}
    grouped = bool(names)
    if grouped:
        table[0].insert(0, "App")
    table += [
        _cells(row, names) if grouped else [_text(cell) for cell in row.cells]
        for row in content.rows
    ]
    widths = _widths(table, width)
    lines += [_line(cells, widths) for cells in table]
    lines += ["", content.summary]
    return lines


def _cells(row: PanelRow, names: dict[str, str]) -> list[str]:
    group = row.group if isinstance(row.group, str) else ""
    return [names.get(group, ""), *(_text(cell) for cell in row.cells)]


def _text(cell: PanelCell) -> str:
    if isinstance(cell.time, UnsetType):
        return cell.text.replace("\n", " ")
    at = datetime.fromtimestamp(cell.time / 1000, UTC)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _widths(table: list[list[str]], width: int) -> list[int]:
    """The widest column gives way first, until all fit."""
    widths = [max(len(cells[at]) for cells in table) for at in range(len(table[0]))]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > MIN_WIDTH:
        widths[widths.index(max(widths))] -= 1
    return widths


def _line(cells: list[str], widths: list[int]) -> str:
    cut = (
        text if len(text) <= wide else f"{text[: wide - 1]}…"
        for text, wide in zip(cells, widths, strict=True)
    )
    padded = [text.ljust(wide) for text, wide in zip(cut, widths, strict=True)]
    return "  ".join(padded).rstrip()
