"""`deskbus links`: the connections of a running backend, and how many there may be."""

from argparse import Namespace
from collections.abc import Sequence
from functools import partial

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus_protocol.client import Client
from deskbus_protocol.links import LinkState, ListLinksResult

HEADER = ["LINK", "TRANSPORT", "CLIENT", "PID", "AGE", "IN", "OUT", "FRAMES/WRITE", "WAITING"]
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def run(options: Namespace) -> int:
    if options.what == "close":
        return run_with_client(
            options, partial(_call, method="links.close", params={"number": options.number})
        )
    if options.what == "limit":
        limits = {"maxLinks": options.max_links, "maxLinksOfApp": options.max_links_of_app}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        return run_with_client(options, partial(_call, method="links.setLimits", params=given))
    return run_with_client(options, partial(_list, app=options.app))


async def _call(client: Client, *, method: str, params: object) -> None:
    output.emit(await client.call(method, params))


async def _list(client: Client, *, app: str | None) -> None:
    params = {} if app is None else {"app": app}
    result: ListLinksResult = await client.call("links.list", params, result=ListLinksResult)
    output.emit(result, rows(result.links))


def rows(links: Sequence[LinkState]) -> list[list[str]]:
    """A table, its header first."""
    return [HEADER, *map(_row, links)]


def _row(link: LinkState) -> list[str]:
    waiting = f"{size(link.waiting_bytes)} in {link.waiting_frames}" if link.waiting_frames else ""
    return [
        str(link.number),
        link.transport,
        f"{link.app}/{link.client}" if link.app else "(no session)",
        str(link.pid or ""),
        f"{link.age // 1000} s",
        size(link.received_bytes),
        size(link.sent_bytes),
        f"{link.sent_frames / link.writes:.1f}" if link.writes else "",
        waiting or ("reads slowly" if link.slow else ""),
    ]


def size(octets: int) -> str:
    """Bytes in the largest unit of which there is one (IEC 80000-13)."""
    amount = float(octets)
    for unit in UNITS:
        if amount < 1024 or unit == UNITS[-1]:
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
