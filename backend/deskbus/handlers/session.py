"""`session.*`: opens, resumes and ends the sessions of links."""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import structlog
from msgspec import UNSET, UnsetType

from deskbus import __version__
from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.bus.recovery.session_catchup import SessionCatchup
from deskbus.contracts.audit_sink import AuditSink
from deskbus.observability.logs.log_throttle import LogThrottle
from deskbus.rpc.connection import Call, Connection, Role
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.tickets.one_time_tickets import TICKET_LIFE_S
from deskbus_protocol import PROTOCOL_VERSION
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import (
    CONFLICT,
    PERMISSION_DENIED,
    TICKET_REFUSED,
    VERSION_MISMATCH,
    DeskbusError,
)
from deskbus_protocol.events import Actor, SessionResumed, TicketRefused, TicketUsed
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.session import (
    RESERVED_APPS,
    HelloParams,
    HelloResult,
    MintTicketParams,
    MintTicketResult,
    OpenParams,
    OpenResult,
    ResumeParams,
    is_reserved,
)
from deskbus_protocol.traces import TracingTerms

SHELL = ClientId("deskbus.shell", "main")

CLAIM_CHARACTERS = 128
"""Characters of the name that an unauthenticated client gives, in the audit log."""

REFUSALS_LOGGED = 10
"""Lines of each kind a minute; those beyond are counted. The audit log has a bound of its own."""

log = structlog.get_logger()


class SessionsPort(Protocol):
    """The open sessions and the resumable ones. Methods raise `DeskbusError` (ticket_refused)."""

    def mint(self, identity: ClientId, actor: Actor) -> str: ...

    def room(self, identity: ClientId) -> AbstractContextManager[None]: ...

    def bearer(self, ticket: str, app: str) -> ClientId | None: ...

    def redeem(self, ticket: str, app: str) -> tuple[Role, ClientId]: ...

    def redeem_token(self, token: str) -> tuple[Role, ClientId]: ...

    def new_token(self, role: Role, identity: ClientId) -> str: ...

    def join(
        self,
        connection: Connection,
        role: Role,
        identity: ClientId,
        *,
        resume: bool = False,
        catchup: SessionCatchup | None = None,
    ) -> bool: ...

    async def look_back(
        self, connection: Connection, identity: ClientId, last_seqs: Mapping[str, int]
    ) -> SessionCatchup | None: ...

    async def let_out(self, connection: Connection) -> None: ...

    def keep_token(self, token: str, role: Role, identity: ClientId) -> None: ...

    def leave_for_good(self, connection: Connection) -> None: ...


class SessionHandlers:
    def __init__(
        self,
        *,
        epoch: str,
        pipe: str,
        sessions: SessionsPort,
        trail: AuditSink,
        violations: ViolationRecorder,
        shut_down: Callable[[], None],
        on_shell: Callable[[str | None, int, str], None],
        on_opened: Callable[[ClientId], None],
        tracing: Callable[[], TracingTerms | UnsetType] = lambda: UNSET,
        may_join: Callable[[str, ClientId], bool] = lambda _, __: False,
    ) -> None:
        """`may_join` says whether a client may have its session in a place of another app's.

        `on_shell` is told the shell's own binary, its version of Electron and its locale before it
        is connected, `on_opened` every client of an app.
        """
        self._epoch = epoch
        self._pipe = pipe
        self._sessions = sessions
        self._trail = trail
        self._violations = violations
        self._shut_down = shut_down
        self._refusals = LogThrottle(log, REFUSALS_LOGGED)
        self._on_shell = on_shell
        self._on_opened = on_opened
        self._tracing = tracing
        self._may_join = may_join

    def table(self) -> Mapping[str, Handler]:
        return {
            "session.hello": self.hello,
            "session.mintTicket": self.mint_ticket,
            "session.open": self.open,
            "session.resume": self.resume,
            "session.ping": self.ping,
            "session.leave": self.leave,
            "session.shutdown": self.shut_down,
        }

    async def hello(self, call: Call, params: HelloParams) -> HelloResult:
        _check_version(params.protocol_version)
        if not call.connection.shell_link:
            raise DeskbusError(PERMISSION_DENIED)
        if call.connection.has_session:
            raise DeskbusError(CONFLICT, "This link has its session already.")
        exec_path = None if isinstance(params.exec_path, UnsetType) else params.exec_path
        self._on_shell(exec_path, params.electron, params.locale)
        self._sessions.join(call.connection, "shell", SHELL)
        log.info("session.shell", shell=params.shell, locale=params.locale)
        return HelloResult(
            protocol_version=PROTOCOL_VERSION,
            version=__version__,
            epoch=self._epoch,
            pipe=self._pipe,
            pid=os.getpid(),
        )

    async def mint_ticket(self, _: Call, params: MintTicketParams) -> MintTicketResult:
        if is_reserved(params.app):
            raise DeskbusError(PERMISSION_DENIED, f"App ids in {RESERVED_APPS}* are reserved.")
        ticket = self._sessions.mint(ClientId(params.app, params.client), "person")
        return MintTicketResult(ticket=ticket, expires_in=int(TICKET_LIFE_S * 1000))

    async def open(self, call: Call, params: OpenParams) -> OpenResult:
        _check_can_open(call, params.protocol_version)
        bearer = self._sessions.bearer(params.ticket, params.app)
        # A ticket that finds no room stays good.
        with nullcontext() if bearer is None else self._sessions.room(bearer):
            try:
                role, identity = self._sessions.redeem(params.ticket, params.app)
                self._check_place(call, identity)
            except DeskbusError:
                self._refusals.log("session.ticket_refused")
                why = "the ticket is unknown, used, late or another app's"
                await self._refused(params.app, why)
                raise
            catchup = None
            if params.resume and not isinstance(params.last_seqs, UnsetType):
                catchup = await self._sessions.look_back(
                    call.connection, identity, params.last_seqs
                )
            call.connection.samples = params.samples
            resumed = self._sessions.join(
                call.connection, role, identity, resume=params.resume, catchup=catchup
            )
        self._trail.note(TicketUsed(app=identity.app, client=identity.client))
        return await self._let_in(call, params, role, identity, resumed=resumed)

    async def resume(self, call: Call, params: ResumeParams) -> OpenResult:
        _check_can_open(call, params.protocol_version)
        try:
            role, identity = self._sessions.redeem_token(params.resume_token)
            self._check_place(call, identity)
        except DeskbusError:
            self._refusals.log("session.resume_refused")
            await self._refused("", "there is no session to resume")
            raise
        try:
            with self._sessions.room(identity):
                catchup = await self._sessions.look_back(
                    call.connection, identity, params.last_seqs
                )
                call.connection.samples = params.samples
                resumed = self._sessions.join(
                    call.connection, role, identity, resume=True, catchup=catchup
                )
        except BaseException:
            self._sessions.keep_token(params.resume_token, role, identity)
            raise
        resumption = SessionResumed(app=identity.app, client=identity.client)
        self._violations.note(resumption)
        return await self._let_in(call, params, role, identity, resumed=resumed)

    async def ping(self, _: Call, __: NoParams) -> Empty:
        return Empty()

    async def leave(self, call: Call, _: NoParams) -> Empty:
        if call.connection.shell_link:
            raise DeskbusError(CONFLICT, "The shell's session ends with its link.")
        self._sessions.leave_for_good(call.connection)
        return Empty()

    async def shut_down(self, _: Call, __: NoParams) -> Empty:
        self._shut_down()
        return Empty()

    def _check_place(self, call: Call, identity: ClientId) -> None:
        """Raises `DeskbusError` (ticket_refused) where only another app's clients may be.

        The ticket is spent by then: a peer that shows it in the wrong place may have stolen it.
        """
        only_app = call.connection.only_app
        if only_app not in (None, identity.app) and not self._may_join(str(only_app), identity):
            raise DeskbusError(TICKET_REFUSED)

    async def _refused(self, app: str, reason: str) -> None:
        """`app` is the name that the unauthenticated client gives."""
        await self._violations.record(TicketRefused(claimed=app[:CLAIM_CHARACTERS], reason=reason))

    async def _let_in(
        self,
        call: Call,
        params: OpenParams | ResumeParams,
        role: Role,
        identity: ClientId,
        *,
        resumed: bool,
    ) -> OpenResult:
        encoding = call.connection.peer.agree(params.encodings) if params.encodings else None
        await self._sessions.let_out(call.connection)
        log.info("session.opened", app=identity.app, client=identity.client, resumed=resumed)
        self._on_opened(identity)
        return OpenResult(
            app=identity.app,
            client=identity.client,
            epoch=self._epoch,
            protocol_version=PROTOCOL_VERSION,
            version=__version__,
            resumed=resumed,
            resume_token=self._sessions.new_token(role, identity),
            tracing=self._tracing() if params.samples else UNSET,
            encoding=encoding or UNSET,
        )


def _check_can_open(call: Call, version: str) -> None:
    """Raises `DeskbusError` (version_mismatch, conflict)."""
    _check_version(version)
    if call.connection.has_session or call.connection.shell_link:
        raise DeskbusError(CONFLICT, "This link has its session already.")


def _check_version(version: str) -> None:
    """Raises `DeskbusError` (version_mismatch) for another major version."""
    if version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
        ours, theirs = PROTOCOL_VERSION.partition(".")[0], version.partition(".")[0]
        peer_is_newer = theirs.isdecimal() and len(theirs) < 9 and int(theirs) > int(ours)
        raise DeskbusError(
            VERSION_MISMATCH,
            f"The backend speaks protocol {PROTOCOL_VERSION}, this peer {version[:20]}.",
            action=(
                f"Update the backend to a deskbus that speaks protocol {theirs}, or its bundle."
                if peer_is_newer
                else f"Update deskbus-electron, or the client, to one that speaks protocol {ours}."
            ),
        )
