"""`session.*`: turns a link into somebody."""

import os
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from deskbus import __version__
from deskbus.rpc.connection import Call, Connection, Role
from deskbus.rpc.dispatch import Handler
from deskbus.security.manager import RESERVED_APPS
from deskbus.security.tickets import TICKET_LIFE_S, TicketOffice
from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import (
    CONFLICT,
    PERMISSION_DENIED,
    VERSION_MISMATCH,
    DeskbusError,
)
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.session import (
    HelloParams,
    HelloResult,
    MintTicketParams,
    MintTicketResult,
    OpenParams,
    OpenResult,
)

SHELL = Sender("deskbus.shell", "main")

log = structlog.get_logger()


class Join(Protocol):
    """Makes a connection a session; returns whether it took up an earlier one's place."""

    def __call__(
        self, connection: Connection, role: Role, identity: Sender, *, resume: bool = False
    ) -> bool: ...


def check_version(version: str) -> None:
    """Raises `DeskbusError` (version_mismatch) for another major version."""
    if version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
        raise DeskbusError(
            VERSION_MISMATCH,
            f"The backend speaks protocol {PROTOCOL_VERSION}, this peer {version[:20]}.",
        )


def handlers(
    *,
    epoch: str,
    pipe: Callable[[], str],
    tickets: TicketOffice,
    redeem: Callable[[str, str], tuple[Role, Sender]],
    join: Join,
    shut_down: Callable[[], None],
) -> Mapping[str, Handler]:
    async def hello(call: Call, params: HelloParams) -> HelloResult:
        check_version(params.protocol_version)
        if not call.connection.shell_link:
            raise DeskbusError(PERMISSION_DENIED)
        if call.connection.has_session:
            raise DeskbusError(CONFLICT, "This link has its session already.")
        join(call.connection, "shell", SHELL)
        log.info("session.shell", shell=params.shell)
        return HelloResult(
            protocol_version=PROTOCOL_VERSION,
            version=__version__,
            epoch=epoch,
            pipe=pipe(),
            pid=os.getpid(),
        )

    async def mint_ticket(_: Call, params: MintTicketParams) -> MintTicketResult:
        if params.app.startswith(RESERVED_APPS):
            raise DeskbusError(PERMISSION_DENIED, f"App ids in {RESERVED_APPS}* are reserved.")
        ticket = tickets.mint(Sender(params.app, params.client))
        return MintTicketResult(ticket=ticket, expires_in=int(TICKET_LIFE_S * 1000))

    async def open_session(call: Call, params: OpenParams) -> OpenResult:
        check_version(params.protocol_version)
        if call.connection.has_session or call.connection.shell_link:
            raise DeskbusError(CONFLICT, "This link has its session already.")
        try:
            role, identity = redeem(params.ticket, params.app)
        except DeskbusError:
            log.warning("session.ticket_refused", app=params.app)
            raise
        resumed = join(call.connection, role, identity, resume=params.resume)
        log.info("session.opened", app=identity.app, client=identity.client)
        return OpenResult(
            app=identity.app,
            client=identity.client,
            epoch=epoch,
            protocol_version=PROTOCOL_VERSION,
            version=__version__,
            resumed=resumed,
        )

    async def ping(_: Call, __: NoParams) -> Empty:
        return Empty()

    async def shutdown(_: Call, __: NoParams) -> Empty:
        shut_down()
        return Empty()

    return {
        "session.hello": hello,
        "session.mintTicket": mint_ticket,
        "session.open": open_session,
        "session.ping": ping,
        "session.shutdown": shutdown,
    }
