"""AuditReading: the audit log as its panel reads it."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from deskbus_protocol.audit import (
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
    """The audit log as a panel reads it. All methods raise `DeskbusError`."""

    async def query(self, params: AuditQueryParams) -> AuditPage: ...

    async def stats(self) -> AuditStats: ...

    async def head(self) -> AuditHeadResult: ...

    async def verify(
        self, against: list[str], progress: Callable[[int, int], None], who: ClientId
    ) -> AuditVerdict: ...

    async def export_to(
        self, path: Path, wanted: AuditFilter, form: AuditFormat, who: ClientId
    ) -> int: ...
