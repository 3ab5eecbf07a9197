"""Connections: the table of links, the sessions on them, the pipe's state, the tools' ticket."""

from deskbus.components.access.access_control import AccessControl
from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.connections.sessions import Sessions
from deskbus.components.messaging.messaging import Messaging
from deskbus.components.monitoring.tracing import Tracing
from deskbus.rpc.connection_table import ConnectionTable
from deskbus.security.tickets.developer_ticket import DeveloperTicket
from deskbus.security.tickets.one_time_tickets import TicketIssuer
from deskbus.storage.awake_clock import awake_s
from deskbus.transport.named_pipes.pipe_state import PipeState
from deskbus.ui.shell import Shell


class Connections:
    """`developer_ticket` lets command-line tools in: always where there is no shell."""

    def __init__(
        self,
        run: BackendRun,
        shell: Shell,
        auditing: Auditing,
        access: AccessControl,
        messaging: Messaging,
        tracing: Tracing,
        *,
        headless: bool,
    ) -> None:
        settings = run.settings
        limits = settings.config.links
        with_tools = headless or settings.config.tools
        ticket = DeveloperTicket(settings.runtime_dir) if with_tools else None
        self.developer_ticket = ticket
        self.pipe_state = PipeState(run.shortage.note)
        self.table = ConnectionTable(limits.max_links, limits.max_links_of_app)
        self.sessions = Sessions(
            bus=messaging.bus,
            log=messaging.log,
            shell=shell,
            tickets=TicketIssuer(awake_s),
            denied=auditing.refused.on_fastpath,
            minted=auditing.minted,
            security=access.security,
            connections=self.table,
            tracer=tracing.tracer,
            developer_ticket=None if ticket is None else ticket.text,
        )
        messaging.client_ended.add(self.sessions.forget_token)
