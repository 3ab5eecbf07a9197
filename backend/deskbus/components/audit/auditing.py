"""Auditing: the audit log, its readers, and the records of the backend's own acts."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog
from msgspec import UnsetType, structs

from deskbus.audit.logger import AuditLogger
from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.components.audit.late_audit_reader import LateAuditReader
from deskbus.components.audit.refused_calls import RefusedCalls
from deskbus.components.backend_run import BackendRun
from deskbus.components.component_settings import audit_of, has_keychain
from deskbus.config import AUDIT_FOLDER, hash_of
from deskbus.contracts.audit_sink import committed, note_failure
from deskbus.rpc.connection import Call
from deskbus.ui.panels.audit_panel import AuditPanel
from deskbus.ui.panels.panels import Panels
from deskbus.vault.service import SecretSlot, VaultService
from deskbus_protocol.audit import AuditQueryParams
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import (
    Actor,
    ConfigChanged,
    ControlActed,
    PermissionGranted,
    PermissionRevoked,
    RecordRefused,
    TicketMinted,
    VaultLocked,
    VaultUnlocked,
)
from deskbus_protocol.method import Method
from deskbus_protocol.permissions import Grant
from deskbus_protocol.secrets import VaultState, VaultStatus

log = structlog.get_logger()


class Auditing:
    def __init__(self, run: BackendRun, vault: VaultService, panels: Panels) -> None:
        settings = run.settings
        self.trail = AuditLogger(
            settings.data_dir / AUDIT_FOLDER,
            SecretSlot(vault, "audit", "anchor"),
            boot=run.epoch,
            settings=audit_of(settings.config.audit),
            has_keychain=has_keychain,
            loops=run.loops,
        )
        self._loops = run.loops
        self.reader = LateAuditReader(self.trail)
        self.violations = ViolationRecorder(self.trail)
        self.refused = RefusedCalls(self.violations)
        panel = AuditPanel(self.reader, on_changed=lambda: panels.changed("audit"))
        self.trail.appended.add(lambda _: panel.appended())
        panels.add(panel)
        self._config_hash = hash_of(settings.config)
        self._vault_state: VaultState = "closed"
        self._person_at_vault = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Raises `OSError` where another process writes this log."""
        try:
            async with self.trail.running(), self._loops.running(self._compare_config):
                yield
                self.violations.tell()
        finally:
            self.reader.close()

    def minted(self, identity: ClientId, actor: Actor) -> None:
        self.trail.note(TicketMinted(app=identity.app, client=identity.client, actor=actor))

    @asynccontextmanager
    async def acting(self, call: Call, row: Method, params: object) -> AsyncIterator[None]:
        """Records what an administrator does in the block. Of the parameters only the app, topic,
        name, component, browser or fault is told. Raises `DeskbusError` (audit_unavailable).
        """
        identity = call.identity
        target = next(
            (
                str(value)
                for name in ("app", "topic", "name", "component", "browser", "fault")
                if isinstance(value := getattr(params, name, None), str)
            ),
            "",
        )
        event = ControlActed(
            app=identity.app,
            client=identity.client,
            actor="person",
            method=row.name,
            target=target,
        )
        if row.recorded != "regardless":
            async with committed(self.trail, event):
                yield
            return
        self.trail.note(event)
        try:
            yield
        except BaseException as error:
            note_failure(self.trail, event, error)
            raise

    def vault_changed(self, status: VaultStatus) -> None:
        before, self._vault_state = self._vault_state, status.state
        if status.state == "unlocked" and before != "unlocked":
            kek_provider = "" if isinstance(status.kek_provider, UnsetType) else status.kek_provider
            if not self._person_at_vault:
                self.trail.note(VaultUnlocked(kek_provider=kek_provider))
            self.trail.vault_changed()
        elif status.state == "locked" and before != "locked" and not self._person_at_vault:
            self.trail.note(VaultLocked(reason=status.detail))

    @contextmanager
    def by_person(self) -> Iterator[None]:
        """Records changes of the vault within the block as a person's."""
        self._person_at_vault += 1
        try:
            yield
        finally:
            self._person_at_vault -= 1

    async def record_refused(self, purpose: str | None) -> None:
        """On disk when this returns; a record stays refused also where that can't be."""
        event = RecordRefused(purpose=purpose or "")
        if purpose == "audit":
            # The log itself waits for this record.
            self.trail.note(event)
            return
        try:
            await self.trail.commit(event)
        except DeskbusError as error:
            log.error("audit.refusal_unrecorded", reason=error.message)  # noqa: TRY400

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
        """Grants of the configuration that stand in the log; raises `DeskbusError`."""
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
