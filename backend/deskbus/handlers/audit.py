"""`audit.*`."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from msgspec import structs

from deskbus.audit.logger import AuditLogger
from deskbus.contracts.audit_reading import AuditReading
from deskbus.reliability.fair_queue import FairQueue
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch.dispatcher import Handler
from deskbus.security.permission_service import PermissionService
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
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import PERMISSION_DENIED, DeskbusError
from deskbus_protocol.method import ControlPermission, Empty, NoParams
from deskbus_protocol.permissions import Grant

READERS_AT_ONCE = 4
READERS_OF_APP = 2
"""A verification may take minutes, beside which the same app can still ask."""


class AuditHandlers:
    """For the shell, for apps that were granted `audit`, and for operators; nobody is asked.

    `permits` says whether a client may look at the control centre.
    """

    def __init__(
        self,
        logger: AuditLogger,
        reader: AuditReading,
        permissions: PermissionService,
        permits: Callable[[ClientId, ControlPermission], bool],
    ) -> None:
        self._permits = permits
        self._logger = logger
        self._reader = reader
        self._turns = FairQueue(READERS_AT_ONCE, of_one=READERS_OF_APP)
        self._permissions = permissions

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
        async with self._turn(call):
            return await self._reader.query(params)

    async def export(self, call: Call, params: AuditExportParams) -> AuditExportResult:
        async with self._turn(call) as who:
            return await self._reader.export(params, who)

    async def stats(self, call: Call, _: NoParams) -> AuditStats:
        async with self._turn(call):
            return await self._reader.stats()

    async def verify(self, call: Call, params: AuditVerifyParams) -> AuditVerdict:
        reported = 0

        def progress(done: int, total: int) -> None:
            nonlocal reported
            percent = 100 * done // total if total else 100
            if percent > reported:
                reported = percent
                call.progress(f"{percent} %")

        async with self._turn(call) as who:
            return await self._reader.verify(params.against, progress, who)

    async def head(self, call: Call, _: NoParams) -> AuditHeadResult:
        async with self._turn(call):
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
                unread_added = structs.replace(appended, skipped=appended.skipped + unread)
                unread = 0
                connection.peer.notify("audit.appended", unread_added)

        self._logger.tails.remove(connection)
        if params.enabled:
            self._logger.tails.add(connection, params, send)
        return Empty()

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncIterator[ClientId]:
        """Waits for the reader's turn, and returns its identity; raises `DeskbusError`."""
        who = self._administrator(call)
        async with self._turns.take(who.app):
            yield who

    def _administrator(self, call: Call) -> ClientId:
        """Raises `DeskbusError` (permission_denied)."""
        if not self._may_read(call):
            raise DeskbusError(PERMISSION_DENIED)
        return call.identity

    def _may_read(self, call: Call) -> bool:
        connection = call.connection
        if connection.role == "shell" or connection.shell_link:
            return True
        who = call.identity
        may_audit = self._permissions.state_of(who, Grant("audit", "all")) == "granted"
        return may_audit or self._permits(who, "control.view")
