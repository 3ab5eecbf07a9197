"""AuditReading: the audit log as handlers and panels read it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from deskbus_protocol.audit import (
    AuditExportParams,
    AuditExportResult,
    AuditFilter,
    AuditFormat,
    AuditHeadResult,
    AuditPage,
    AuditQueryParams,
    AuditStats,
    AuditVerdict,
)
from deskbus_protocol.envelope import ClientId


class AuditReading(Protocol):
    """The audit log as its readers see it. All methods raise `DeskbusError`."""

    async def query(self, params: AuditQueryParams) -> AuditPage: ...

    async def export(self, params: AuditExportParams, who: ClientId) -> AuditExportResult: ...

    async def stats(self) -> AuditStats: ...

    async def head(self) -> AuditHeadResult: ...

    async def verify(
        self, against: Sequence[str], progress: Callable[[int, int], None], who: ClientId
    ) -> AuditVerdict: ...

    async def export_to(
        self, path: Path, wanted: AuditFilter, form: AuditFormat, who: ClientId
    ) -> int: ...
