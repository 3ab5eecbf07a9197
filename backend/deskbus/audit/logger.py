"""AuditLogger: the audit log for the rest of the backend."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, TypeVarTuple

import anyio
import structlog
from anyio import to_thread

from deskbus.audit.format.lines import LineError
from deskbus.audit.format.record import Stamped
from deskbus.audit.format.record_decoder import decode_record
from deskbus.audit.format.signed_note import NoteError
from deskbus.audit.query.live_tail import LiveTails
from deskbus.audit.store.anchor import AnchorKeeper
from deskbus.audit.store.audit_folder import KEYS, AuditFolder, DamagedFileError
from deskbus.audit.store.key_file import KeyFile
from deskbus.audit.store.maintenance import Now, check_prune, compress_closed, plan_prune, remove
from deskbus.audit.store.retention import AuditRetention
from deskbus.audit.store.rwlock import ReadWriteLock
from deskbus.audit.verify.verifier import KnownHead, Verifier, own_key
from deskbus.audit.write.group_commit_writer import CommittedGroup, GroupCommitWriter
from deskbus.audit.write.recovery import Opening, SetAsideError, open_log
from deskbus.contracts.listeners import Listeners
from deskbus.contracts.sealed_value import SealedValue
from deskbus.languages.health_words import other, phrase, told
from deskbus.observability.metrics.histogram import DISK_BOUNDS_S, Histogram
from deskbus.observability.tracing.call_trace import traced
from deskbus.reliability.loops import Loops
from deskbus.reliability.resource_shortage import ResourceShortage
from deskbus.storage.clocks import wall_ms
from deskbus.storage.newer_format import NEWER, NewerFormatError
from deskbus_protocol.audit import AuditRecord
from deskbus_protocol.errors import AUDIT_UNAVAILABLE, NEWER_FORMAT, DeskbusError
from deskbus_protocol.events import AuditEvent, AuditPruned, AuditVerified
from deskbus_protocol.health import ComponentHealth

ANCHOR_EVERY_S = 10.0
"""Shortest time between two checkpoints put into the keychain, besides the last one."""

ANCHOR_EVERY_RECORDS = 16_384
"""Records after which the log is anchored in any case; a new file always is."""

CLOSE_WITHIN_S = 1.0
OPEN_WITHIN_S = 10.0
"""How long a commit waits for a keychain that has not answered yet."""

COMMIT_WITHIN_S = 10.0
"""How long a commit waits for a disk that neither writes nor fails."""

LATE_S = 0.9
"""Delays from this on are told in health."""

KEYS_ACTION = "Unlock the vault (vault.unlock), or put it back where it is gone, then try again."

TIDY_EVERY_S = 3600.0

Ts = TypeVarTuple("Ts")

log = structlog.get_logger()


class AuditSettings(NamedTuple):
    """`file_bytes` is when a file ends; `append_only` asks for the attribute, which needs root."""

    file_bytes: int = 16_000_000
    retention: AuditRetention = AuditRetention(max_age_ms=365 * 86_400_000, max_bytes=4_000_000_000)
    append_only: bool = False


def _unavailable(why: str, action: str | None) -> DeskbusError:
    text = f"{AUDIT_UNAVAILABLE.message} The log says: {why.rstrip('.')}." if why else None
    return DeskbusError(AUDIT_UNAVAILABLE, text, action=action)


class SystemClock:
    def now_ms(self) -> int:
        return wall_ms()

    def mono_us(self) -> int:
        return time.monotonic_ns() // 1000


class AuditLogger:
    """An `AuditSink`. Its methods are for the event loop."""

    def __init__(
        self,
        folder: Path,
        sealed_anchor: SealedValue,
        *,
        boot: str,
        settings: AuditSettings | None = None,
        has_keychain: Callable[[], bool] = lambda: True,
        loops: Loops | None = None,
    ) -> None:
        """`has_keychain` tells, blocking, whether a vault could be made for the log's keys."""
        self._settings = settings or AuditSettings()
        self.folder = AuditFolder(folder, append_only=self._settings.append_only)
        self._keys = KeyFile(folder / KEYS, None)
        self.anchor_keeper = AnchorKeeper(self.folder, sealed_anchor, self._keys, has_keychain)
        self._boot = boot
        self._loops = loops or Loops(ResourceShortage())
        self._clock = SystemClock()
        self._writer = GroupCommitWriter(
            self._open_ledger, self._clock, on_written=self._written_there, on_state=self._state
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._problem = ""
        self._set_aside = ""
        self._aside = ("", "")
        self._unpruned = ""
        self.key = ""
        """The log's verifier key, as it was when the log was opened; "" before."""
        self._newest: CommittedGroup | None = None
        self._began = (0, 0)
        self._anchored = (0, 0)
        self.opened = asyncio.Event()
        """Set once records are on their way to the disk, or the disk has refused them."""
        self._keys_known = asyncio.Event()
        """Set once the log's keys are there, or it is known why they are not."""
        self._started_us = self._clock.mono_us()
        self.events: Counter[str] = Counter()
        """Records that the log was given since the start, by type."""
        self.refused = 0
        """Commits that could not be made, so that what they were for did not happen."""
        self.commit_times = Histogram(DISK_BOUNDS_S)
        self._anchor_due = asyncio.Event()
        self._tidy_due = asyncio.Event()
        self._vault_changed = asyncio.Event()
        self._waits_for_vault = False
        self.rwlock = ReadWriteLock()
        self.tails = LiveTails()
        self.appended = Listeners[None]()
        """Told that there are new records."""

    @property
    def size(self) -> int:
        """Records on disk, those that retention removed among them."""
        return self._newest.size if self._newest else 0

    @property
    def checkpoint(self) -> str:
        """The newest one; "" before the log is open."""
        return self._newest.checkpoint if self._newest else ""

    @property
    def mark(self) -> KnownHead | None:
        """Where the log ends as this run knows it; None until it is open."""
        newest = self._newest
        return KnownHead("this run", newest.size, newest.root, self.key) if newest else None

    @property
    def _action(self) -> str | None:
        """The action for a cause other than the disk."""
        return NEWER_FORMAT.action if NEWER in self._problem else None

    @property
    def problem(self) -> str:
        """Why nothing can be recorded at the moment; "" when all is well."""
        return self._problem

    def note(self, event: AuditEvent) -> None:
        self.events[str(event.__struct_config__.tag)] += 1
        self._writer.put(Stamped(traced(event), self._clock.now_ms(), self._clock.mono_us()))

    async def settle(self) -> None:
        """Returns once the log is open, or it is known why it is not; after 10 s in any case.

        Before that there is neither its key nor its end.
        """
        if not self.opened.is_set():
            with anyio.move_on_after(OPEN_WITHIN_S):
                await self._keys_known.wait()
                if not self._problem:
                    await self.opened.wait()

    async def commit(self, event: AuditEvent) -> None:
        began_us = self._clock.mono_us()
        try:
            await self._commit(event)
        except DeskbusError:
            self.refused += 1
            raise
        self.events[str(event.__struct_config__.tag)] += 1
        self.commit_times.observe((self._clock.mono_us() - began_us) / 1_000_000)

    async def _commit(self, event: AuditEvent) -> None:
        await self.settle()
        if not self.opened.is_set():
            raise _unavailable(self._problem or self._not_open_yet(), KEYS_ACTION)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()

        def settle(kept: bool) -> None:
            if not done.done():
                done.set_result(kept)

        def answer(kept: bool) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, kept)

        stamped = Stamped(traced(event), self._clock.now_ms(), self._clock.mono_us())
        self._writer.put(stamped, answer)
        with anyio.move_on_after(COMMIT_WITHIN_S):
            if await done:
                return
        raise _unavailable(self._problem or self._late(), self._action)

    def health(self) -> ComponentHealth:
        trouble = (
            self._problem
            or self._late()
            or self._set_aside
            or self._unpruned
            or self.anchor_keeper.problem
        )
        if trouble:
            return told("degraded", other(trouble))
        if self._newest is None:
            return told("ok", phrase("audit-opening"))
        place = "keychain" if self.anchor_keeper.sealed else "file"
        return told("ok", phrase("audit", count=self.size, place=place))

    def _late(self) -> str:
        """The reason for a delay of records on their way to the disk; "" for none."""
        if self._newest is None:
            waited_us = self._clock.mono_us() - self._started_us
            return self._not_open_yet() if waited_us > LATE_S * 1_000_000 else ""
        busy_s = self._writer.busy_s
        return f"the disk has taken nothing for {busy_s:.0f} s" if busy_s > LATE_S else ""

    def _not_open_yet(self) -> str:
        waits = "the disk" if self._keys_known.is_set() else "the keychain"
        return f"it is not open yet: {waits} has not answered"

    async def keep_anchor(self) -> None:
        """Puts the log's end into the keychain where that has no anchor of this log yet."""
        anchor = self.anchor_keeper.anchor
        if self.anchor_keeper.sealed and (anchor is None or not anchor.key):
            await self._save_anchor()

    def vault_changed(self) -> None:
        """Tries the vault again, which may open now."""
        if self._waits_for_vault:
            # Commits from here on wait for the next look at the keys.
            self._keys_known.clear()
        self._vault_changed.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes for the length of a `with` block; all is on disk when it ends.

        Raises `FolderBusyError` where another process writes this log.
        """
        self._loop = asyncio.get_running_loop()
        self._started_us = self._clock.mono_us()
        await to_thread.run_sync(self.folder.claim)
        try:
            async with self._loops.running(self._open, self._keep_anchored, self._keep_tidy):
                yield
        finally:
            with anyio.CancelScope(shield=True):
                await self._close()

    async def _close(self) -> None:
        if not self._writer.started:
            # It ended before its keys were asked for; what was told until then is kept.
            with anyio.move_on_after(CLOSE_WITHIN_S):
                if await self.anchor_keeper.open():
                    self._writer.start()
        await to_thread.run_sync(self._writer.close, CLOSE_WITHIN_S)
        await anyio.lowlevel.checkpoint()
        with anyio.move_on_after(CLOSE_WITHIN_S):
            await self._save_anchor()
        self.folder.release()

    async def _open(self) -> None:
        await self._know_keys()
        # A start waits for no keychain, and makes no vault; that comes a little later.
        with anyio.move_on_after(ANCHOR_EVERY_S):
            await self._vault_changed.wait()
        while not self.anchor_keeper.sealed and self.anchor_keeper.newer is None:
            self._vault_changed = asyncio.Event()
            await self.anchor_keeper.open(may_make=True)
            await self._hold_against_anchor()
            self._anchor_due.set()
            await self._vault_changed.wait()

    async def _know_keys(self) -> None:
        """Returns when the log is being written, as it is already where a fault led here anew."""
        if self._writer.started:
            return
        while not await self._opened_anchor():
            self._problem = self.anchor_keeper.problem
            self._keys_known.set()
            self._waits_for_vault = True
            await self._vault_changed.wait()
            self._waits_for_vault = False
            self._vault_changed = asyncio.Event()
        self._problem = ""
        self._keys_known.set()
        self._writer.start()

    async def _opened_anchor(self) -> bool:
        try:
            return await self.anchor_keeper.open()
        except Exception:  # raised again, to whoever begins it anew; commits are refused meanwhile
            self._problem = "its keys are not known: reading them failed"
            self._keys_known.set()
            raise

    async def _hold_against_anchor(self) -> None:
        """Before the log's end takes the place of what the vault knew while it was locked."""
        anchor = self.anchor_keeper.found
        if anchor is None or not anchor.key or not anchor.wrap or self._newest is None:
            return
        mark = KnownHead(self.anchor_keeper.place, anchor.size, anchor.root, anchor.key)
        size = self.size
        async with self.rwlock.reading():
            verdict = await to_thread.run_sync(
                lambda: Verifier(
                    self.folder.path, self.key, marks=[mark], until=size, live=True
                ).run()
            )
        if verdict.verdict == "TAMPERED":
            self._set_aside = f"it is not the log that the keychain knew: {verdict.reason}"
            log.error("audit.not_the_anchored", reason=verdict.reason)
            self.note(
                AuditVerified(
                    verdict=verdict.verdict,
                    records=verdict.records,
                    head=verdict.size,
                    reason=verdict.reason,
                )
            )

    def _open_ledger(self) -> Opening:
        """On the writer's thread. Raises `OSError`."""
        if self.anchor_keeper.newer is not None:
            raise self.anchor_keeper.newer
        anchor = self.anchor_keeper.anchor
        if self._aside[0] and anchor is not None and anchor.key != self.key:
            anchor = None  # It is the one of the log that was set aside already.
        try:
            opening = open_log(
                self.folder,
                self._keys,
                self._clock,
                boot=self._boot,
                max_bytes=self._settings.file_bytes,
                anchor=anchor,
            )
        except SetAsideError as error:
            self._aside = (error.folder, error.reason)
            self.key = ""
            raise
        if opening.set_aside:
            self._aside = (opening.set_aside, opening.reason)
        elif opening.fresh and self._aside[0]:
            opening = opening._replace(set_aside=self._aside[0], reason=self._aside[1])
        if opening.fresh or not self.key:
            self.key = own_key(self.folder.path)
        return opening

    def _written_there(self, written: CommittedGroup) -> None:
        """On the writer's thread."""
        # A large group is read here, so that the loop does not wait for it.
        records = [decode_record(line) for line in written.lines] if self.tails.watched else []
        self._on_loop(self._written_here, written, records)

    def _written_here(self, written: CommittedGroup, records: list[AuditRecord]) -> None:
        if self._newest is None:
            self._began = (written.file, self._clock.mono_us())
        self._newest = written._replace(lines=[])
        size, file = self._anchored
        if file != written.file:
            self._tidy_due.set()
            self._anchor_due.set()
        elif written.size - size >= ANCHOR_EVERY_RECORDS:
            self._anchor_due.set()
        if not written.lines:
            return
        if records:
            self.tails.tell(records)
        self.appended(None)

    def _state(self, problem: str, opening: Opening | None) -> None:
        """On the writer's thread."""
        self._on_loop(self._state_here, problem, opening)

    def _on_loop(self, call: Callable[[*Ts], None], *arguments: *Ts) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(call, *arguments)

    def _state_here(self, problem: str, opening: Opening | None) -> None:
        self._problem = problem
        self.opened.set()
        if opening is not None and opening.set_aside:
            words = f"the log before was set aside as {opening.set_aside}"
            self._set_aside = f"{words}: {opening.reason}"

    async def _keep_anchored(self) -> None:
        while True:
            await self._anchor_due.wait()
            self._anchor_due.clear()
            kept = False
            try:
                kept = await self._save_anchor()
            finally:
                if not kept:
                    self._anchor_due.set()
            await anyio.sleep(ANCHOR_EVERY_S)

    async def _save_anchor(self) -> bool:
        """Saves the anchor; returns False where it has to be tried again."""
        newest = self._newest
        if newest is None or self._anchored == (newest.size, newest.file):
            return True
        try:
            await self.anchor_keeper.save(self.key, newest.size, newest.root)
            self._anchored = (newest.size, newest.file)
            self.anchor_keeper.problem = ""
            return True
        except (OSError, DeskbusError) as error:
            why = "the disk" if isinstance(error, OSError) else "the vault"
            self.anchor_keeper.problem = f"its end could not be anchored: {why} does not take it"
            log.warning("audit.not_anchored", reason=str(error))
            return False

    async def _keep_tidy(self) -> None:
        """Compresses files that are closed, and removes those that retention does not keep."""
        while True:
            with anyio.move_on_after(TIDY_EVERY_S):
                await self._tidy_due.wait()
            self._tidy_due.clear()
            try:
                await self._tidy()
            except NewerFormatError as error:
                log.warning("audit.not_tidied", reason=error.words)
                self._unpruned = f"retention removes nothing: {error.words}"
            except (OSError, DeskbusError, DamagedFileError, LineError, NoteError) as error:
                log.warning("audit.not_tidied", reason=str(error))
                if not isinstance(error, OSError | DeskbusError):
                    self._unpruned = "a closed file is damaged: verify the log"

    async def _tidy(self) -> None:
        newest = self._newest
        if newest is None:
            return
        first_file, began_us = self._began
        now = Now(self._clock.now_ms(), (self._clock.mono_us() - began_us) // 1000, first_file)
        keep = self._settings.retention
        async with self.rwlock.reading():
            prune = await to_thread.run_sync(plan_prune, self.folder, keep, newest.file, now)
            self._unpruned = ""
            if prune is not None:
                why = await to_thread.run_sync(check_prune, self.folder, self.key, prune)
                if why:
                    self._unpruned = (
                        f"retention removes nothing, for a file does not verify ({why})"
                    )
                    log.error("audit.not_pruned", reason=why)
                    prune = None
        async with self.rwlock.changing():
            if prune is not None:
                await self.commit(
                    AuditPruned(through=prune.through, files=len(prune.files), reason=prune.rule)
                )
                await to_thread.run_sync(remove, self.folder, prune.files)
            await to_thread.run_sync(compress_closed, self.folder, newest.file)
