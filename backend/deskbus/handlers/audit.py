"""`audit.*`, and the records of refused calls."""

from collections.abc import Callable, Mapping

from msgspec import UNSET, UnsetType, structs

from deskbus.audit.logger import AuditLogger
from deskbus.audit.service import AuditReader
from deskbus.audit.violations import Violations
from deskbus.observability.calltrace import trace_id_of, traced
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus.rpc.lane import Denied
from deskbus.security.manager import SecurityManager
from deskbus_protocol.audit import (
    AuditAppendedParams,
    AuditExportParams,
    AuditExportResult,
    AuditHeadResult,
    AuditPage,
    AuditQueryParams,
    AuditStats,
    AuditTailParams,
    AuditVerdict,
    AuditVerifyParams,
)
from deskbus_protocol.bus import PublishParams
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import PERMISSION_DENIED, SESSION_REQUIRED, DeskbusError
from deskbus_protocol.events import Violation
from deskbus_protocol.method import Empty, NoParams
from deskbus_protocol.methods import METHODS
from deskbus_protocol.permissions import Grant

PERMISSION = Grant("audit", "all")


class AuditHandlers:
    """For the shell, and for apps that were granted `audit`; nobody is asked."""

    def __init__(self, logger: AuditLogger, reader: AuditReader, security: SecurityManager) -> None:
        self._logger = logger
        self._reader = reader
        self._security = security

    def table(self) -> Mapping[str, Handler]:
        return {
            "audit.query": self.query,
            "audit.export": self.export,
            "audit.stats": self.stats,
            "audit.verify": self.verify,
            "audit.head": self.head,
            "audit.tail": self.tail,
        }

    async def query(self, call: Call, params: AuditQueryParams) -> AuditPage:
        self._administrator(call)
        return await self._reader.query(params)

    async def export(self, call: Call, params: AuditExportParams) -> AuditExportResult:
        return await self._reader.export(params, self._administrator(call))

    async def stats(self, call: Call, _: NoParams) -> AuditStats:
        self._administrator(call)
        return await self._reader.stats()

    async def verify(self, call: Call, params: AuditVerifyParams) -> AuditVerdict:
        who = self._administrator(call)
        told = 0

        def progress(done: int, total: int) -> None:
            nonlocal told
            percent = 100 * done // total if total else 100
            if percent > told:
                told = percent
                call.progress(f"{percent} %")

        return await self._reader.verify(params.against, progress, who)

    async def head(self, call: Call, _: NoParams) -> AuditHeadResult:
        self._administrator(call)
        return await self._reader.head()

    async def tail(self, call: Call, params: AuditTailParams) -> Empty:
        self._administrator(call)
        connection = call.connection

        unread = 0

        def send(appended: AuditAppendedParams) -> None:
            nonlocal unread
            if connection.peer.closed or not self._may_read(call):
                self._logger.tails.remove(connection)
            elif connection.peer.slow:
                unread += len(appended.records) + appended.skipped
            else:
                told = structs.replace(appended, skipped=appended.skipped + unread)
                unread = 0
                connection.peer.notify("audit.appended", told)

        self._logger.tails.remove(connection)
        if params.enabled:
            self._logger.tails.add(connection, params, send)
        return Empty()

    def _administrator(self, call: Call) -> Sender:
        """Raises `DeskbusError` (permission_denied)."""
        if not self._may_read(call):
            raise DeskbusError(PERMISSION_DENIED)
        return call.identity

    def _may_read(self, call: Call) -> bool:
        connection = call.connection
        if connection.role == "shell" or connection.shell_link:
            return True
        return self._security.state_of(call.identity, PERMISSION) == "granted"


class RefusedCalls:
    """Turns a refused call into a record of it, without its parameters."""

    def __init__(self, violations: Violations) -> None:
        self._violations = violations

    async def by_dispatcher(self, call: Call, method: str, error: DeskbusError) -> None:
        """A refused ticket is an event of its own."""
        if method in ("session.open", "session.resume"):
            return
        connection = call.connection
        identity = connection.identity if connection.has_session else Sender("", "")
        kind = "permission"
        if error.kind is SESSION_REQUIRED:
            kind = "no session"
        elif METHODS[method].callers == "shell":
            kind = "role"
        await self._violations.record(
            traced(
                Violation(
                    app=identity.app,
                    client=identity.client,
                    kind=kind,
                    method=method,
                    reason=error.message,
                )
            )
        )

    def on_lane(self, identity: Sender) -> Denied:
        """For the messages of one client."""

        def denied(
            method: str, topic: str, options: PublishParams | None, then: Callable[[], None]
        ) -> None:
            correlation_id = options.correlation_id if options is not None else UNSET
            meta = options.meta if options is not None else UNSET
            violation = Violation(
                app=identity.app,
                client=identity.client,
                kind="acl",
                method=method,
                target=topic,
                correlation_id="" if isinstance(correlation_id, UnsetType) else correlation_id,
                trace_id=trace_id_of(meta),
            )
            self._violations.record_then(violation, then)

        return denied
