"""AuditSink: how the rest of the backend tells the audit log what happened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from msgspec import structs

from deskbus_protocol.errors import DeskbusError
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


@asynccontextmanager
async def committed(trail: AuditSink, event: AuditEvent) -> AsyncIterator[None]:
    """Makes the change of the `with` block once `event` is on disk, and not where it can't be.

    Raises `DeskbusError` (audit_unavailable), and what the block raises. A second record tells
    that nothing came of it, for the first may be on disk in either case.
    """
    try:
        await trail.commit(event)
        yield
    except BaseException as error:
        note_failure(trail, event, error)
        raise


def note_failure(trail: AuditSink, event: AuditEvent, error: BaseException) -> None:
    """Records that nothing came of what `event` tells."""
    why = error.message if isinstance(error, DeskbusError) else "it was broken off"
    trail.note(structs.replace(event, reason=f"failed: {why}"))
