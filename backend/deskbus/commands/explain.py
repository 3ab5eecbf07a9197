"""`deskbus explain`: why an app has a permission, or has not."""

from argparse import Namespace
from functools import partial

from msgspec import UnsetType

from deskbus.commands.backend.developer_session import run_with_client
from deskbus.commands.terminal import output
from deskbus_protocol.client import Client
from deskbus_protocol.permissions import PermissionExplanation


def run(options: Namespace) -> int:
    params = {"app": options.app, "permission": options.permission, "scope": options.scope}
    return run_with_client(options, partial(_explain, params=params))


async def _explain(client: Client, *, params: dict[str, str]) -> None:
    found: PermissionExplanation = await client.call(
        "permissions.explain", params, result=PermissionExplanation
    )
    output.emit(found, facts=rows(found))


def rows(found: PermissionExplanation) -> list[list[str]]:
    """The answer, then its reasons; unknown ones are left out."""
    told: list[tuple[str, object]] = [
        ("", f"{found.app}: {found.permission} {found.scope}"),
        ("state", found.state),
        ("decided by", found.decided_by),
        ("because", found.because),
        ("rule", found.rule),
        ("written in", found.place),
        ("since", _time(found.since)),
        ("until", _time(found.until)),
    ]
    if not isinstance(found.record, UnsetType):
        record = found.record
        words = f"{record.seq} ({record.type}, {output.time_of(record.time)}, {record.actor})"
        told += [("audit record", words), ("trace", record.trace_id)]
    return [
        [name, str(value)] for name, value in told if not isinstance(value, UnsetType) and value
    ]


def _time(unix_ms: int | UnsetType) -> str | UnsetType:
    return unix_ms if isinstance(unix_ms, UnsetType) else output.time_of(unix_ms)
