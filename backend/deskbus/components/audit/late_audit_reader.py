"""LateAuditReader: reads the audit log; what that takes is imported when it is first wanted."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread

from deskbus.audit.logger import AuditLogger
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

if TYPE_CHECKING:
    from deskbus.audit.reader import AuditReader

READER = "deskbus.audit.reader"


class LateAuditReader:
    """As `AuditReader`, without a cost for the start."""

    def __init__(self, logger: AuditLogger) -> None:
        self._logger = logger
        self._made: AuditReader | None = None

    async def query(self, params: AuditQueryParams) -> AuditPage:
        return await (await self._reader()).query(params)

    async def export(self, params: AuditExportParams, caller: ClientId) -> AuditExportResult:
        return await (await self._reader()).export(params, caller)

    async def export_to(
        self, path: Path, wanted: AuditFilter, form: AuditFormat, caller: ClientId
    ) -> int:
        return await (await self._reader()).export_to(path, wanted, form, caller)

    async def stats(self) -> AuditStats:
        return await (await self._reader()).stats()

    async def verify(
        self, against: Sequence[str], progress: Callable[[int, int], None], caller: ClientId
    ) -> AuditVerdict:
        return await (await self._reader()).verify(against, progress, caller)

    async def head(self) -> AuditHeadResult:
        return await (await self._reader()).head()

    def close(self) -> None:
        if self._made is not None:
            self._made.close()

    async def _reader(self) -> "AuditReader":
        if self._made is None:
            module = await anyio.to_thread.run_sync(import_module, READER)
            if self._made is None:
                self._made = module.AuditReader(self._logger)
        return self._made
