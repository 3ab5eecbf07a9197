"""AuditSink: how the rest of the backend tells the audit log what happened."""

from typing import Protocol

from deskbus_protocol.events import AuditEvent


class AuditSink(Protocol):
    """Takes events of the catalogue. Both methods are called on the event loop."""

    def note(self, event: AuditEvent) -> None:
        """On disk within a second; neither waits nor raises. For what has happened already."""

    async def commit(self, event: AuditEvent) -> None:
        """Returns once the event is on disk (fdatasync).

        Call it before the effect of a decision is visible: a grant, a denial, an unlocked vault.
        Raises `DeskbusError` (audit_unavailable) where the log can't be written; then the effect
        must not happen. Cancelled, the event may be on disk or not.
        """
