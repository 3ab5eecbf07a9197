"""Endpoint: the entrances of peers: the shell link, the pipe, and the ticket of tools."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio

from deskbus.components.access.access_control import AccessControl
from deskbus.components.backend_run import BackendRun
from deskbus.components.connections.connection_acceptor import ConnectionAcceptor
from deskbus.components.connections.connections import Connections
from deskbus.security.tickets.developer_ticket import DeveloperTicket
from deskbus.transport.link import Link
from deskbus.transport.named_pipes.pipe import listen
from deskbus.transport.standard_streams.standard_descriptors import ClaimedDescriptors
from deskbus.transport.standard_streams.stdio import open_stdio

LOOK_EVERY_S = 1.0
"""How long the ticket of tools may be missing where somebody removed it."""


class Endpoint:
    def __init__(
        self,
        run: BackendRun,
        claimed: ClaimedDescriptors | None,
        access: AccessControl,
        acceptor: ConnectionAcceptor,
        connections: Connections,
    ) -> None:
        """With `claimed` descriptors a shell is at the other end of them; without, the backend is
        headless and writes a developer ticket beside its pipe.
        """
        self._settings = run.settings
        self._claimed = claimed
        self._access = access
        self._acceptor = acceptor
        self._developer_ticket = connections.developer_ticket
        self._pipe_state = connections.pipe_state
        self._loops = run.loops
        self._flusher = run.flusher

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        folder = self._settings.runtime_dir
        accept = self._acceptor.accept
        async with (
            listen(folder, self._flusher, accept, self._pipe_state),
            AsyncExitStack() as stack,
        ):
            await self._access.settle()
            ticket = self._developer_ticket
            if ticket is not None:
                ticket.write()
                stack.callback(ticket.remove)
                keep = partial(_keep_there, ticket)
                await stack.enter_async_context(self._loops.running(keep))
            if self._claimed is not None:
                link = Link(self._flusher, "stdio")
                await open_stdio(link, self._claimed)
                self._acceptor.accept_shell(link)
            yield


async def _keep_there(ticket: DeveloperTicket) -> None:
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        ticket.write_again()
