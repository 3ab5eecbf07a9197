"""PermissionExplanations: why an app has a permission or not, with the audit record of it."""

import structlog
from msgspec import UnsetType, structs

from deskbus.contracts.audit_reading import AuditReading
from deskbus.security.permission_explainer import PermissionExplainer
from deskbus_protocol.audit import AuditQueryParams, AuditRecord
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.events import Actor
from deskbus_protocol.permissions import (
    AuditReference,
    DecidedBy,
    Grant,
    PermissionExplanation,
)

RECORDS_LOOKED_AT = 1000
"""The newest about the app; a decision older than those is told without its record."""

_ACTORS: dict[DecidedBy, Actor] = {"person": "person", "configuration": "policy"}

log = structlog.get_logger()


class PermissionExplanations:
    def __init__(self, explainer: PermissionExplainer, reader: AuditReading) -> None:
        self._explainer = explainer
        self._reader = reader

    async def explain(self, app: str, wanted: Grant) -> PermissionExplanation:
        """Raises `DeskbusError` (invalid_params).

        An audit log that can't be read hides no reason.
        """
        found = await self._explainer.explain(app, wanted)
        try:
            record = await self._record_of(found)
        except DeskbusError as error:
            log.warning("permission.explained_without_record", reason=error.message)
            return found
        if record is None:
            return found
        reference = AuditReference(
            seq=record.seq,
            type=record.type,
            time=record.time,
            actor=record.actor,
            trace_id=record.trace_id,
            correlation_id=record.correlation_id,
        )
        since = record.time if isinstance(found.since, UnsetType) else found.since
        return structs.replace(found, record=reference, since=since)

    async def _record_of(self, found: PermissionExplanation) -> AuditRecord | None:
        if found.decided_by == "policy":
            page = await self._reader.query(AuditQueryParams(types=["policy.changed"], limit=1))
            return next(iter(page.records), None)
        actor = _ACTORS.get(found.decided_by)
        if actor is None or isinstance(found.rule, UnsetType):
            return None
        decision = "denied" if found.state == "denied" else "granted"
        wanted = AuditQueryParams(
            types=[f"permission.{decision}"],
            apps=[found.app],
            actors=[actor],
            limit=RECORDS_LOOKED_AT,
        )
        for record in (await self._reader.query(wanted)).records:
            if f"{record.details['permission']} {record.details['scope']}" == found.rule:
                return record
        return None
