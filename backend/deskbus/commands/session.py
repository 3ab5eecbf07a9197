"""`deskbus session`: layouts of the desk, saved and brought back."""

from argparse import Namespace
from datetime import UTC, datetime

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus_protocol.client import Client
from deskbus_protocol.layouts import (
    LAST,
    LayoutList,
    LayoutSummary,
    NotRestored,
    RestoreLayoutResult,
    SaveLayoutResult,
)


def run(options: Namespace) -> int:
    """The exit code is 1 where an app of a layout did not come back."""
    failed: list[NotRestored] = []

    async def act(client: Client) -> None:
        if options.what == "list":
            found: LayoutList = await client.call("session.list", result=LayoutList)
            output.emit(found, layout_rows(found))
        elif options.what == "remove":
            await client.call("session.remove", {"name": options.name})
        elif options.what == "save":
            wanted = {"name": options.name or LAST}
            saved: SaveLayoutResult = await client.call(
                "session.save", wanted, result=SaveLayoutResult
            )
            output.emit(saved, [*layout_rows(LayoutList(layouts=[saved.layout])), [saved.path]])
        else:
            wanted = {"name": options.name or LAST}
            back: RestoreLayoutResult = await client.call(
                "session.restore", wanted, result=RestoreLayoutResult
            )
            output.emit(back, restored_rows(back))
            failed.extend(back.failed)

    run_with_client(options, act)
    return 1 if failed else 0


def layout_rows(found: LayoutList) -> list[list[str]]:
    """A table of layouts: the headings, then a row for each."""
    return [["LAYOUT", "SAVED", "APPS", "WINDOWS", "CONTEXTS"], *map(_row, found.layouts)]


def restored_rows(back: RestoreLayoutResult) -> list[list[str]]:
    """The counts, and a row for each app that did not come back."""
    counts = [["APPS", "WINDOWS"], [str(back.apps), str(back.windows)]]
    failed = [[each.app, each.reason] for each in back.failed]
    return [*counts, *([["NOT BACK", "WHY"], *failed] if failed else [])]


def _row(layout: LayoutSummary) -> list[str]:
    saved = datetime.fromtimestamp(layout.saved_at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return [layout.name, saved, str(layout.apps), str(layout.windows), str(layout.contexts)]
