"""An audit log that keeps its events in lists."""

import anyio

from deskbus_protocol.errors import AUDIT_UNAVAILABLE, DeskbusError
from deskbus_protocol.events import AuditEvent


class FakeTrail:
    """An `AuditSink`; `is_full` lets every commit fail."""

    def __init__(self) -> None:
        self.noted: list[AuditEvent] = []
        self.committed: list[AuditEvent] = []
        self.is_full = False

    def note(self, event: AuditEvent) -> None:
        self.noted.append(event)

    async def commit(self, event: AuditEvent) -> None:
        await anyio.lowlevel.checkpoint()
        if self.is_full:
            raise DeskbusError(AUDIT_UNAVAILABLE)
        self.committed.append(event)

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in (*self.noted, *self.committed)]
