"""Auditing: the audit log with all that is recorded by nobody in particular."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import anyio
import structlog
from msgspec import UnsetType, structs

from deskbus.audit.logger import AuditLogger
from deskbus.audit.service import AuditReader
from deskbus.audit.violations import Violations
from deskbus.handlers.audit import RefusedCalls
from deskbus_protocol.audit import AuditQueryParams
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import (
    Actor,
    ConfigChanged,
    PermissionGranted,
    PermissionRevoked,
    RecordRefused,
    TicketMinted,
    VaultLocked,
    VaultUnlocked,
)
from deskbus_protocol.permissions import Grant
from deskbus_protocol.secrets import VaultState, VaultStatus

log = structlog.get_logger()


class Auditing:
    def __init__(self, trail: AuditLogger, config_hash: str) -> None:
        """`config_hash` is SHA-256 in hex of the configuration that this run has."""
        self.trail = trail
        self.reader = AuditReader(trail)
        self.violations = Violations(trail)
        self.refused = RefusedCalls(self.violations)
        self._config_hash = config_hash
        self._vault_state: VaultState = "closed"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Raises `OSError` where another process writes this log."""
        try:
            async with self.trail.running(), anyio.create_task_group() as tasks:
                tasks.start_soon(self._compare_config)
                yield
                self.violations.tell()
                tasks.cancel_scope.cancel()
        finally:
            self.reader.close()

    def minted(self, identity: Sender, actor: Actor = "system") -> None:
        self.trail.note(TicketMinted(app=identity.app, client=identity.client, actor=actor))

    def vault_changed(self, status: VaultStatus) -> None:
        before, self._vault_state = self._vault_state, status.state
        if status.state == "unlocked" and before != "unlocked":
            home = "" if isinstance(status.home, UnsetType) else status.home
            self.trail.note(VaultUnlocked(home=home))
            self.trail.vault_changed()
        elif status.state == "locked" and before != "locked":
            self.trail.note(VaultLocked(reason=status.detail))

    def record_refused(self, purpose: str | None) -> None:
        self.trail.note(RecordRefused(purpose=purpose or ""))

    async def compare_grants(self, configured: Iterable[tuple[str, Grant]]) -> None:
        """Records what the configuration grants since the log knew last, and what no more."""
        await self.trail.opened.wait()
        try:
            known = await self._known_grants()
        except DeskbusError as error:
            log.warning("audit.grants_not_compared", reason=error.message)
            return
        wanted = set(configured)
        for app, grant in sorted(known - wanted):
            self.trail.note(
                PermissionRevoked(
                    app=app,
                    actor="policy",
                    permission=grant.permission,
                    scope=grant.scope,
                    reason="the configuration does not grant it any more",
                )
            )
        for app, grant in sorted(wanted - known):
            self.trail.note(
                PermissionGranted(
                    app=app,
                    actor="policy",
                    permission=grant.permission,
                    scope=grant.scope,
                    holds="always",
                    reason="the configuration grants it",
                )
            )

    async def _known_grants(self) -> set[tuple[str, Grant]]:
        """Those of the configuration that the log has as granted; raises `DeskbusError`."""
        known: set[tuple[str, Grant]] = set()
        wanted = AuditQueryParams(
            types=["permission.granted", "permission.revoked"],
            actors=["policy"],
            order="oldest",
            limit=1000,
        )
        while True:
            page = await self.reader.query(wanted)
            for record in page.records:
                permission, scope = record.details["permission"], record.details["scope"]
                grant = record.app, Grant(str(permission), str(scope))
                if record.type == "permission.granted":
                    known.add(grant)
                else:
                    known.discard(grant)
            if isinstance(page.cursor, UnsetType):
                return known
            wanted = structs.replace(wanted, cursor=page.cursor)

    async def _compare_config(self) -> None:
        """Records the configuration where it is another one than the log knows last."""
        await self.trail.opened.wait()
        last = AuditQueryParams(types=["config.changed"], limit=1)
        try:
            found = (await self.reader.query(last)).records
        except DeskbusError as error:
            log.warning("audit.config_not_compared", reason=error.message)
            return
        before = str(found[0].details.get("after", "")) if found else ""
        if before != self._config_hash:
            self.trail.note(ConfigChanged(before=before, after=self._config_hash))
