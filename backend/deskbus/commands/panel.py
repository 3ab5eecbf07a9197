"""`deskbus panel`: opens a panel in the shell; where there is none, prints what it would show."""

import shutil
from argparse import Namespace

import msgspec
from msgspec import UnsetType

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
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
from deskbus_protocol.wording.display import visible
from deskbus_protocol.wording.quantity import counted

MAX_ROWS = 10_000
"""Printed of one panel; the audit panel leads through a log of any length."""


def run(options: Namespace) -> int:
    async def show(client: Client) -> None:
        if options.name is None:
            names = await client.call("panels.list", {}, result=PanelList)
            output.emit(names.names)
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
                output.tell(f"The panel {options.name} is open.")
                return
        content = await all_pages(client, options.name, query)
        if output.on_terminal():
            width = shutil.get_terminal_size().columns
            output.write("\n".join(lines_of(content, width)) + "\n")
        else:
            output.write(output.json_line(content))

    return run_with_client(options, show)


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
            output.tell(f"deskbus: {words}")
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
    """The panel as a table of at most `width` characters; its control characters are already
    escaped.
    """
    lines = [content.title]
    if not isinstance(content.verdict, UnsetType):
        lines.append(content.verdict.text)
    lines += [f"{fact.label}: {fact.text}" for fact in content.facts]
    lines.append("")
    if not content.rows:
        empty = content.empty
        lines.append("Nothing here" if isinstance(empty, UnsetType) else empty.title)
        return [visible(line) for line in lines]
    table = [[column.title for column in content.columns]]
    names = {group.id: group.title for group in content.groups}
    grouped = bool(names)
    if grouped:
        table[0].insert(0, "App")
    table += [
        _cells(row, names) if grouped else [_text(cell) for cell in row.cells]
        for row in content.rows
    ]
    lines += output.lines_of(table, width)
    lines += ["", content.summary]
    return [visible(line) for line in lines]


def _cells(row: PanelRow, names: dict[str, str]) -> list[str]:
    group = row.group if isinstance(row.group, str) else ""
    return [names.get(group, ""), *(_text(cell) for cell in row.cells)]


def _text(cell: PanelCell) -> str:
    return cell.text if isinstance(cell.time, UnsetType) else output.time_of(cell.time)
