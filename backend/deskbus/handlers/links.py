"""`links.*`."""

import time
from collections.abc import Mapping

import msgspec
import structlog
from msgspec import UNSET, UnsetType

from deskbus.contracts.audit_sink import AuditSink, committed
from deskbus.rpc.connection import Call
from deskbus.rpc.connection_table import ConnectionTable, OpenConnection
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus_protocol.errors import CONFLICT, NOT_FOUND, DeskbusError
from deskbus_protocol.events import LinkClosed, LinkLimitsChanged
from deskbus_protocol.links import (
    CloseLinkParams,
    LinkLimits,
    LinkState,
    ListLinksParams,
    ListLinksResult,
    SetLinkLimitsParams,
)
from deskbus_protocol.method import Empty

log = structlog.get_logger()


def handlers(table: ConnectionTable, trail: AuditSink) -> Mapping[str, Handler]:
    def limits() -> LinkLimits:
        return LinkLimits(max_links=table.max_links, max_links_of_app=table.max_links_of_app)

    async def list_links(_: Call, params: ListLinksParams) -> ListLinksResult:
        wanted = list(table) if isinstance(params.app, UnsetType) else table.of_app(params.app)
        wanted.sort(key=lambda each: (-each.link.outbox.waiting_bytes, each.number))
        return ListLinksResult(
            links=[_state(each) for each in wanted[: params.limit]],
            total=len(wanted),
            limits=limits(),
        )

    async def close(_: Call, params: CloseLinkParams) -> Empty:
        found = table.find(params.number)
        if found is None:
            raise DeskbusError(NOT_FOUND, f"There is no link {params.number}.")
        if found.connection.shell_link:
            raise DeskbusError(CONFLICT, "The shell's link closes with the shell.")
        state = _state(found)
        closed = LinkClosed(
            app=state.app or "",
            client=state.client or "",
            actor="person",
            transport=state.transport,
        )
        async with committed(trail, closed):
            log.info("link.closed_by_operator", number=found.number, app=state.app or "")
            found.link.close()
        return Empty()

    async def set_limits(_: Call, params: SetLinkLimitsParams) -> LinkLimits:
        changes = {
            name: value
            for name in ("max_links", "max_links_of_app")
            if not isinstance(value := getattr(params, name), UnsetType)
        }
        wanted = msgspec.structs.replace(limits(), **changes)
        changed = LinkLimitsChanged(
            actor="person",
            max_links=wanted.max_links,
            max_links_of_app=wanted.max_links_of_app,
        )
        async with committed(trail, changed):
            table.max_links = wanted.max_links
            table.max_links_of_app = wanted.max_links_of_app
        return limits()

    return {
        "links.list": list_links,
        "links.close": close,
        "links.setLimits": set_limits,
    }


def _state(found: OpenConnection) -> LinkState:
    link, connection, outbox = found.link, found.connection, found.link.outbox
    return LinkState(
        number=found.number,
        transport=link.transport_name,
        app=connection.identity.app if connection.has_session else UNSET,
        client=connection.identity.client if connection.has_session else UNSET,
        pid=link.process or UNSET,
        shell=connection.shell_link,
        age=int((time.monotonic() - found.since_s) * 1000),
        received_bytes=link.received_bytes,
        sent_bytes=outbox.sent_bytes,
        sent_frames=outbox.sent_frames,
        writes=outbox.writes,
        waiting_frames=outbox.waiting_frames,
        waiting_bytes=outbox.waiting_bytes,
        slow=outbox.slow,
    )
