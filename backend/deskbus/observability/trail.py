"""AuditTrail: how the rest of the backend tells the audit log what happened."""

from typing import Protocol

import msgspec
import structlog

from deskbus_protocol.events import AuditEvent

log = structlog.get_logger()


class AuditTrail(Protocol):
    """Takes events of the catalogue. Both methods are called on the event loop."""

    def note(self, event: AuditEvent) -> None:
        """On disk within a second; neither waits nor raises. For what has happened already."""

    async def commit(self, event: AuditEvent) -> None:
        """Returns once the event is on disk (fdatasync).

        Call it before the effect of a decision is visible: a grant, a denial, an unlocked vault.
        Raises `DeskbusError` (audit_unavailable) where the log can't be written; then the effect
        must not happen. Cancelled, the event may be on disk or not.
        """


class LoggedTrail:
    """Tells the structured log and keeps nothing, so `commit` never refuses.

    For tests, for a part that runs by itself, and for a backend whose audit log is switched off in
    the configuration. In a running backend the trail is the audit log.
    """

    def note(self, event: AuditEvent) -> None:
        fields = msgspec.to_builtins(event)
        log.info("audit", what=fields.pop("type"), **fields)

    async def commit(self, event: AuditEvent) -> None:
        self.note(event)
