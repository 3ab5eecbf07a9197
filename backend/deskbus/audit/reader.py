"""AuditReader: queries, exports, counts and verification of the log that is being written."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec
from anyio import to_thread
from msgspec import UNSET, UnsetType

from deskbus.audit.format.lines import LineError
from deskbus.audit.format.merkle import ProofError
from deskbus.audit.format.signed_note import NoteError
from deskbus.audit.logger import AuditLogger
from deskbus.audit.proof.proof_bundle import Prover, make_bundle, read_chain
from deskbus.audit.query.index import AuditIndex
from deskbus.audit.query.search import AuditSearch, SearchResult
from deskbus.audit.report import export
from deskbus.audit.report.export_file import Exporter, MadeExport, TooManyError
from deskbus.audit.store.audit_folder import DamagedFileError, list_files
from deskbus.audit.verify.verifier import NO_KEYCHAIN, KnownHead, Verifier, known_head_of
from deskbus.storage.newer_format import NewerFormatError
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
from deskbus_protocol.errors import DEGRADED, INVALID_PARAMS, TOO_LARGE, DeskbusError
from deskbus_protocol.events import AuditExported, AuditVerified

MAX_EXPORT_BYTES = 1_500_000
"""Limit of one export's content; its proof and the escaping double that, below a frame's limit."""

T = TypeVar("T")


class AuditReader:
    """Its methods raise `DeskbusError`: degraded where the log can't be read, newer_format where
    a later version wrote a part of it.
    """

    def __init__(self, logger: AuditLogger) -> None:
        self._logger = logger
        self._folder = logger.folder.path
        self._index = AuditIndex(self._folder)
        self._search = AuditSearch(self._folder, self._index)
        self._turn = anyio.Lock()

    async def query(self, params: AuditQueryParams) -> AuditPage:
        found, total = await self._indexed(lambda total: (self._find(params), total))
        cursor = UNSET if found.cursor is None else found.cursor
        return AuditPage(records=found.records, total=total, cursor=cursor)

    async def export(self, params: AuditExportParams, caller: ClientId) -> AuditExportResult:
        def make(_: int) -> AuditExportResult:
            cursor = None if isinstance(params.cursor, UnsetType) else params.cursor
            found = self._search.find(params, order="oldest", limit=params.limit, cursor=cursor)
            lines, behind = _fitting(found)
            chain = read_chain(self._folder)
            self._index.catch_up()
            prover = Prover(self._search, self._index, chain)
            seqs = [record.seq for record in found.records[: len(lines)]]
            bundle = make_bundle(self._logger.key, chain, seqs, prover.subtree)
            return AuditExportResult(
                content=export.encode(lines, params.format),
                proof=msgspec.json.encode(bundle).decode(),
                records=len(lines),
                cursor=UNSET if behind is None else behind,
            )

        await self._logger.settle()
        made = await self._indexed(make)
        await self._logger.commit(
            AuditExported(
                app=caller.app,
                client=caller.client,
                actor="person",
                format=params.format,
                records=made.records,
            )
        )
        return made

    async def export_to(
        self, path: Path, wanted: AuditFilter, form: AuditFormat, caller: ClientId
    ) -> int:
        """Writes a file and its proof, and returns how many records are in it.

        Raises `DeskbusError` (too_large) for more than one file can prove.
        """

        def make(_: int) -> MadeExport:
            exporter = Exporter(self._folder, self._index, self._search, self._logger.key)
            try:
                return exporter.make(wanted, form)
            except TooManyError as error:
                raise DeskbusError(
                    TOO_LARGE, "These are too many records for one file.", action=f"{error}."
                ) from None

        await self._logger.settle()
        made = await self._indexed(make)
        exported = AuditExported(
            app=caller.app, client=caller.client, actor="person", format=form, records=made.records
        )
        # There is no file before the log says so.
        await self._logger.commit(exported)
        await self._indexed(lambda _: made.write(path))
        return made.records

    async def stats(self) -> AuditStats:
        def count(total: int) -> AuditStats:
            by: dict[str, dict[str, int]] = {}
            for facet, records in self._index.counts():
                for name, value in facet._asdict().items():
                    if value and records:
                        counts = by.setdefault(name, {})
                        counts[value] = counts.get(value, 0) + records
            files = list_files(self._folder)
            kept = sum(by.get("type", {}).values())
            times = self._index.times()
            return AuditStats(
                records=kept,
                pruned=total - kept,
                files=len(files),
                bytes=sum(file.path.stat().st_size for file in files),
                state="degraded" if self._logger.problem else "ok",
                detail=self._logger.health().detail or "",
                by_type=by.get("type", {}),
                by_app=by.get("app", {}),
                by_decision=by.get("decision", {}),
                by_severity=by.get("severity", {}),
                oldest=times[0] if times else UNSET,
                newest=times[1] if times else UNSET,
            )

        return await self._indexed(count)

    async def verify(
        self, against: Sequence[str], progress: Callable[[int, int], None], caller: ClientId
    ) -> AuditVerdict:
        """Reads all files, and holds the log against its anchor and `against`."""
        loop = asyncio.get_running_loop()
        await self._logger.settle()
        await self._logger.keep_anchor()
        marks = self._marks(against)
        unanchored = self._logger.anchor_keeper.unanchored

        def tell(done: int, total: int) -> None:
            loop.call_soon_threadsafe(progress, done, total)

        def run() -> AuditVerdict:
            return Verifier(
                self._folder,
                self._logger.key,
                marks=marks,
                until=size,
                live=True,
                unanchored=None if against and unanchored is NO_KEYCHAIN else unanchored,
                progress=tell,
            ).run()

        size = self._logger.size
        async with self._logger.rwlock.reading():
            verdict = await self._read(run)
        async with self._turn:
            # Searches from now on read files that were verified.
            await self._read(self._index.throw_away)
        await self._logger.commit(
            AuditVerified(
                app=caller.app,
                client=caller.client,
                actor="person",
                verdict=verdict.verdict,
                records=verdict.records,
                head=verdict.size,
                reason=verdict.reason,
            )
        )
        return verdict

    async def head(self) -> AuditHeadResult:
        await self._logger.settle()
        checkpoint = self._logger.checkpoint
        return AuditHeadResult(checkpoint=checkpoint, key=self._logger.key, size=self._logger.size)

    def close(self) -> None:
        self._index.close()

    def _find(self, params: AuditQueryParams) -> SearchResult:
        cursor = None if isinstance(params.cursor, UnsetType) else params.cursor
        return self._search.find(params, order=params.order, limit=params.limit, cursor=cursor)

    def _marks(self, against: Sequence[str]) -> list[KnownHead]:
        anchor_keeper = self._logger.anchor_keeper
        anchor = anchor_keeper.anchor
        marks = [self._logger.mark] if self._logger.mark else []
        if anchor is not None and anchor.key:
            marks.append(KnownHead(anchor_keeper.place, anchor.size, anchor.root, anchor.key))
        try:
            for number, text in enumerate(against, 1):
                marks.append(known_head_of(text, f"the kept checkpoint {number}"))
        except NoteError:
            raise DeskbusError(INVALID_PARAMS, "This is not a checkpoint of the log.") from None
        return marks

    async def _indexed(self, action: Callable[[int], T]) -> T:
        async with self._logger.rwlock.reading(), self._turn:
            written = self._logger.size
            return await self._read(lambda: action(self._catch_up(written)))

    def _catch_up(self, written: int) -> int:
        """Raises `DeskbusError` (degraded) where the files hold less than this run wrote."""
        total = self._index.catch_up()
        if total < written:
            raise DeskbusError(
                DEGRADED,
                "The audit log's files hold less than was written into them.",
                action="Verify the log: somebody changed it.",
            )
        return total

    async def _read(self, action: Callable[[], T]) -> T:
        try:
            return await to_thread.run_sync(action)
        except NewerFormatError as error:
            raise error.to_wire() from None
        except (
            OSError,
            sqlite3.Error,
            DamagedFileError,
            LineError,
            NoteError,
            ProofError,
        ):
            raise DeskbusError(DEGRADED, "The audit log can't be read whole.") from None


def _fitting(found: SearchResult) -> tuple[list[bytes], int | None]:
    """As many lines as one answer carries, and the cursor behind them."""
    size = 0
    for at, line in enumerate(found.lines):
        size += len(line)
        if size > MAX_EXPORT_BYTES:
            return found.lines[:at], found.records[at - 1].seq
    return found.lines, found.cursor
