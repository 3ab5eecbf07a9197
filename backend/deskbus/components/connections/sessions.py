"""Sessions: joins a connection, its identity and its place on the bus, until it closes."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count

from deskbus.bus.ingress.client_publisher import ClientPublisher
from deskbus.bus.ingress.rate_limit import RateLimitedPublisher, RateLimits
from deskbus.bus.ingress.tracing_publisher import TracingPublisher
from deskbus.bus.recovery.session_catchup import SessionCatchup
from deskbus.bus.service import InterApplicationBus
from deskbus.contracts.message_log import DurabilityLog
from deskbus.observability.tracing.tracer import Tracer
from deskbus.rpc.connection import Connection, Role
from deskbus.rpc.connection_table import ConnectionTable
from deskbus.rpc.fair_turns import FairTurns
from deskbus.rpc.fastpath import Denied
from deskbus.security.service import SecurityManager
from deskbus.security.tickets.developer_ticket import DEVELOPER_APP
from deskbus.security.tickets.one_time_tickets import TicketIssuer
from deskbus.security.tickets.resume_tokens import ResumeTokens
from deskbus.ui.shell import Shell
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import (
    CONFLICT,
    CONNECTION_LOST,
    OVERLOADED,
    TICKET_REFUSED,
    DeskbusError,
)
from deskbus_protocol.events import Actor


class Sessions:
    def __init__(
        self,
        *,
        bus: InterApplicationBus,
        log: DurabilityLog,
        shell: Shell,
        tickets: TicketIssuer,
        denied: Callable[[ClientId], Denied],
        minted: Callable[[ClientId, Actor], None],
        security: SecurityManager,
        connections: ConnectionTable,
        tracer: Tracer | None = None,
        developer_ticket: str | None = None,
    ) -> None:
        """`denied` makes what is told of an identity's messages that it may not send; `minted` is
        told of each ticket.
        """
        self._bus = bus
        self._log = log
        self._shell = shell
        self._tickets = tickets
        self._denied = denied
        self._minted = minted
        self._security = security
        self._connections = connections
        self._tracer = tracer
        self._trusted: set[ClientId] = set()
        self._pieces = bus.pieces
        self._open: dict[ClientId, Connection] = {}
        self.rate_limits = RateLimits(self._limited)
        self._links_of: Counter[str] = Counter()
        self._coming: Counter[ClientId] = Counter()
        self._barred: set[ClientId] = set()
        self._developers = count(1)
        self._tokens: ResumeTokens[Role] = ResumeTokens()
        self._developer_ticket = developer_ticket

    def mint(self, identity: ClientId, actor: Actor = "system") -> str:
        """A ticket that lets its bearer in as `identity`, once."""
        ticket = self._tickets.mint(identity)
        self._minted(identity, actor)
        return ticket

    @contextmanager
    def room(self, identity: ClientId) -> Iterator[None]:
        """Holds a place for a session that is about to open within the block.

        A client that comes back in its own place takes no other. Raises `DeskbusError`
        (overloaded) where this would be one too many.
        """
        app = identity.app
        coming = {each for each in self._coming if each.app == app and each not in self._open}
        taken = self._links_of[app] + len(coming)
        is_in = identity in self._open or identity in coming
        if not is_in and taken >= self._connections.max_links_of_app and app != DEVELOPER_APP:
            raise DeskbusError(
                OVERLOADED,
                f"{app} has as many links as it may.",
                action="Close some, or raise max_links_of_app in [links] of the configuration.",
            )
        self._coming[identity] += 1
        try:
            yield
        finally:
            self._coming[identity] -= 1
            if not self._coming[identity]:
                del self._coming[identity]
                self._barred.discard(identity)

    def bearer(self, ticket: str, app: str) -> ClientId | None:
        """The client that a ticket is good for, without spending it; None for any other ticket."""
        return self._tickets.bearer(ticket, app)

    def redeem(self, ticket: str, app: str) -> tuple[Role, ClientId]:
        """A ticket's role and identity; raises `DeskbusError` (ticket_refused)."""
        if app == DEVELOPER_APP and self.is_developer(ticket):
            return "shell", ClientId(DEVELOPER_APP, f"client-{next(self._developers)}")
        return "app", self._tickets.redeem(ticket, app)

    def is_developer(self, ticket: str) -> bool:
        """Whether this is the ticket of developers, of which there may be none."""
        expected = self._developer_ticket
        if not expected:
            return False
        return secrets.compare_digest(ticket.encode(), expected.encode())

    def new_token(self, role: Role, identity: ClientId) -> str:
        """A resume token for this client's next connection; an earlier one is void."""
        return self._tokens.issue(role, identity)

    def forget_token(self, identity: ClientId) -> None:
        """Voids the resume token of a client that can't come back, or has another token."""
        self._tokens.revoke(identity)

    @property
    def tokens(self) -> int:
        """The number of clients that could resume their session."""
        return len(self._tokens)

    @property
    def open_sessions(self) -> int:
        return len(self._open)

    def redeem_token(self, token: str) -> tuple[Role, ClientId]:
        """A resume token's role and identity; raises `DeskbusError` (ticket_refused)."""
        found = self._tokens.redeem(token)
        if found is None or not self._bus.knows(found[1]):
            raise DeskbusError(
                TICKET_REFUSED,
                "There is no session to resume.",
                action="Open a new session with a ticket; persisted topics can be replayed.",
            )
        return found

    async def look_back(
        self, connection: Connection, identity: ClientId, last_seqs: Mapping[str, int]
    ) -> SessionCatchup | None:
        """Collects the messages that a client missed while away, and closes its earlier connection.

        Many topics are examined over many turns of the loop. Raises `DeskbusError`: conflict where
        it came back elsewhere meanwhile, connection_lost where it is gone again.
        """
        self._give_way(identity)
        async with self._bus.scans.take(identity.app):
            catchup = self._bus.catchup(identity, last_seqs)
            while catchup is not None and catchup.advance():
                async with self._pieces.take(identity.app):
                    pass
        if identity in self._open or connection.has_session:
            raise DeskbusError(CONFLICT, "This client came back on another link meanwhile.")
        if connection.peer.closed:
            raise DeskbusError(CONNECTION_LOST)
        return catchup

    def keep_token(self, token: str, role: Role, identity: ClientId) -> None:
        """Keeps the token valid for a client whose session did not open, for another try."""
        if self._bus.knows(identity):
            self._tokens.give_back(token, role, identity)

    def join(
        self,
        connection: Connection,
        role: Role,
        identity: ClientId,
        *,
        resume: bool = False,
        catchup: SessionCatchup | None = None,
    ) -> bool:
        """Joins a connection to the bus; returns whether it resumed an earlier one.

        The newest connection of an identity is the one that counts; an older one is closed. Raises
        `DeskbusError` (ticket_refused) where the client was ended since it came to its room.
        """
        if identity in self._barred:
            raise DeskbusError(TICKET_REFUSED)
        self._give_way(identity)
        connection.become(role, identity)
        self._judge(role, identity)
        self._open[identity] = connection
        self._links_of[identity.app] += 1
        self._share(connection, identity.app)
        resumed = self._bus.attach(
            identity, connection.peer.outbox, resume=resume, catchup=catchup, at_once=False
        )
        if not resumed:
            self._security.forget_client(identity)
        self._open_fastpath(connection)
        if connection.shell_link:
            self._shell.connect(connection.peer)
        return resumed

    async def let_out(self, connection: Connection) -> None:
        """Delivers what waited for a client that came back, over many turns of the loop.

        Raises `DeskbusError` (connection_lost) where it is gone again meanwhile.
        """
        identity = connection.identity
        member = self._bus.member(identity)
        while self._open.get(identity) is connection and member.go_on():
            async with self._pieces.take(identity.app):
                pass
        if self._open.get(identity) is not connection:
            raise DeskbusError(CONNECTION_LOST)

    def notify(self, app: str, client: str, method: str, params: object) -> bool:
        """Sends a notification to one client of an app; False where it is not connected."""
        connection = self._open.get(ClientId(app, client))
        if connection is None:
            return False
        connection.peer.notify(method, params)
        return True

    def leave(self, connection: Connection, *, for_good: bool = False) -> None:
        """Takes a connection off the bus that closed, was replaced by a newer one, or is done."""
        if not connection.has_session or self._open.get(connection.identity) is not connection:
            return
        identity = connection.identity
        del self._open[identity]
        self._links_of[identity.app] -= 1
        if not self._links_of[identity.app]:
            del self._links_of[identity.app]
        if for_good:
            self._bus.leave(identity)
        else:
            self._bus.detach(identity)
        self._shell.disconnect(connection.peer)

    def _give_way(self, identity: ClientId) -> None:
        """Ends the client's earlier connection: at once where its app has no link to spare, so that
        one that is never read from does not linger beside the newer.
        """
        before = self._open.get(identity)
        if before is None:
            return
        self.leave(before)
        links = self._connections.of_app(identity.app)
        if len(links) < self._connections.max_links_of_app:
            before.peer.close()
            return
        for each in links:
            if each.connection is before:
                each.link.abort()

    def end_clients(self, app: str, is_meant: Callable[[str], bool]) -> None:
        """Ends the clients of an app that may no longer be connected.

        Closes their links, voids their tickets, and refuses sessions that are about to open.
        """
        self._tickets.revoke(app, is_meant)
        self._barred |= {each for each in self._coming if each.app == app and is_meant(each.client)}
        for identity, connection in list(self._open.items()):
            if identity.app == app and is_meant(identity.client):
                self.leave_for_good(connection)
                connection.peer.close()
        for identity in [member.client.identity for member in self._bus.members]:
            if identity.app == app and is_meant(identity.client):
                self._bus.leave(identity)

    def _judge(self, role: Role, identity: ClientId) -> None:
        """Trust follows from how this session was opened, whoever had the identity before."""
        gone = {each for each in self._trusted if each == identity or not self._bus.knows(each)}
        for each in gone - {identity} if role == "shell" else gone:
            self._trusted.discard(each)
            self._security.distrust(each)
        if role == "shell":
            self._trusted.add(identity)
            self._security.trust(identity)

    def _share(self, newest: Connection, app: str) -> None:
        """Puts a link under the bounds and turns of its app, which the app's first link creates."""
        others = (c for who, c in self._open.items() if who.app == app and c is not newest)
        other = next(others, None)
        if other is not None:
            newest.peer.calls.pending = other.peer.calls.pending
        newest.peer.outbox.app = app
        newest.peer.turns = FairTurns() if other is None else other.peer.turns

    def leave_for_good(self, connection: Connection) -> None:
        """Ends a client for good: drops its queue and its resume token."""
        connection.peer.fastpath.close()
        self.leave(connection, for_good=True)

    def _open_fastpath(self, connection: Connection) -> None:
        """Connects the publish path with the bus, behind a rate limit where the app has one."""
        member = self._bus.member(connection.identity)
        publisher = ClientPublisher(self._bus, member, self._log)
        denied = self._denied(connection.identity)
        rate_limit = self.rate_limits.of(connection.identity.app)
        connection.peer.admits = None if rate_limit is None else rate_limit.admits_call
        limited: ClientPublisher | RateLimitedPublisher = publisher
        if rate_limit is not None:
            limited = RateLimitedPublisher(publisher, rate_limit, connection.peer.hold)
        metered = rate_limit is not None
        if self._tracer is None:
            connection.peer.fastpath.open(limited, denied, metered=metered)
        else:
            traced = TracingPublisher(
                limited,
                self._bus,
                connection.identity,
                self._tracer,
                samples_itself=connection.samples,
            )
            connection.peer.fastpath.open(traced, denied, metered=metered)

    def _limited(self, app: str) -> None:
        for identity, connection in self._open.items():
            if identity.app == app:
                self._open_fastpath(connection)
