"""MessagePersistence: the log as the event loop sees it. Nothing here waits for a disk."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import msgspec
import structlog

from deskbus.contracts.log_query import LogQuery
from deskbus.languages.health_words import english_words
from deskbus.observability.metrics.histogram import DISK_BOUNDS_S, Histogram
from deskbus.persistence.batch_sealer import BatchSealer, SealingError, WithoutVault
from deskbus.persistence.commit.backlog import Backlog
from deskbus.persistence.commit.durability import Durable, Waiter, call_all
from deskbus.persistence.log.batch import MAX_BATCH_BYTES, Messages
from deskbus.persistence.log.file_operations import Files
from deskbus.persistence.log.message_log import MessageLog, Statistics, WrittenBatches
from deskbus.persistence.log.reader import LineBlock, read_ahead
from deskbus.persistence.log.retention import LogRetention
from deskbus.persistence.log.selection import Selection
from deskbus.persistence.sensitive_messages import SensitiveMessages
from deskbus.persistence.state import (
    NO_ANSWER,
    TOO_SLOW,
    PersistenceState,
    degraded,
    reason_of,
)
from deskbus.reliability.circuit_breaker import Attempt, CircuitBreaker
from deskbus.storage.clocks import ClockMs, SteadyClock
from deskbus.storage.timers import CallLater, Timers
from deskbus.storage.worker_thread import WorkerThread
from deskbus_protocol.errors import DEGRADED, DeskbusError
from deskbus_protocol.health import Phrase

SYNC_AFTER_S = 0.9
"""Leaves the disk a tenth of the second after which every message is to be on it."""

BATCH_MESSAGES = 100
BATCH_BYTES = 256 * 1024
MAX_LINE_BYTES = MAX_BATCH_BYTES - 2 * BATCH_BYTES
MAX_FLIGHT_BYTES = 4 * 1024 * 1024
"""Given to the disk at once: what fails is written again as a whole."""

RETRY_AFTER_S = (1.0, 2.0, 4.0, 8.0)
"""Beyond, the breaker is open and says when."""

STALLED_AFTER_S = 5.0
CLEAN_UP_EVERY_S = 3600.0
CLOSE_WITHIN_S = 1.5
_NEVER = sys.maxsize

log = structlog.get_logger()


class PersistenceStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """`held` counts messages that wait in memory, `dropped` those that are lost.

    Of those held, `unsealed` wait to be encrypted. `refused` ones were not taken, for that reason.
    """

    log: Statistics
    held: int
    unsealed: int
    refused: int
    held_bytes: int
    dropped: int


class MessagePersistence:
    """Gathers messages and flies them to a thread that writes, one flight at a time.

    A flight leaves when somebody waits, when there is a batch's worth, or when the oldest message
    has waited long enough; what arrives meanwhile goes with the next. Every method is called in
    the loop that called `start`.

    Sensitive messages that can't be encrypted are refused, or wait beside all others, which go on.
    """

    def __init__(
        self,
        folder: Path,
        *,
        retention: LogRetention | None = None,
        compress: bool = False,
        sealer: BatchSealer | None = None,
        without_vault: WithoutVault = "refuse",
        clock_ms: ClockMs | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        call_later: CallLater | None = None,
        files: Files | None = None,
    ) -> None:
        """`clock_ms` gives Unix ms that never step; it is the one that messages are stamped by.

        `call_later` takes seconds and a callback, and is the loop's own unless given.
        """
        self._clock_ms = clock_ms = clock_ms or SteadyClock()
        self._log = MessageLog(
            folder,
            clock_ms=clock_ms,
            retention=retention,
            compress=compress,
            sealer=sealer,
            files=files,
        )
        self._monotonic_s = monotonic_s
        self._given_call_later = call_later
        self._pending = Messages(0)
        self._backlog = Backlog()
        self._too_large = 0
        self._sensitive = SensitiveMessages(sealer, without_vault, self._write_released)
        self._waiting: list[Waiter] = []
        self._in_flight: list[Waiter] = []
        self._placed = False
        self._suspended = True
        self._closed = False
        self._busy = False
        self._soon = False
        self._unsynced_since: float | None = None
        self._flight_since: float | None = None
        self._sync_due = False
        self._due_messages = 1
        self._failures = 0
        self._reason: Phrase | None = None
        self.breaker = CircuitBreaker("disk", monotonic_s=monotonic_s)
        self._attempt: Attempt | None = None
        self.flush_times = {"write": Histogram(DISK_BOUNDS_S), "fsync": Histogram(DISK_BOUNDS_S)}
        """Of flights that ended well: those that were only written, and those with an fsync."""
        self._took_off_s = 0.0
        self._syncing = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The messages of a `with` block are on the disk when it has ended, or told as lost."""
        await self.start()
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await self.close()

    async def start(self) -> None:
        """Finds out what is on the disk. A failure shows in `state` and is tried again."""
        self._loop = asyncio.get_running_loop()
        self._timers = Timers(self._given_call_later or self._loop.call_later)
        self._worker = WorkerThread("persistence")
        opened = asyncio.Event()
        self._in_flight.append(Waiter(lambda _ok: opened.set()))
        self._flush_group(sync=False)
        await opened.wait()
        self._suspended = False
        self._sensitive.start(self._loop, self._timers)
        self._go_on()
        self._timers.set(CLEAN_UP_EVERY_S, self._clean_up)

    def append(self, topic: str, seq: int, timestamp_ms: int, line: bytes) -> None:
        """Keeps a message, whose line is the one that its subscribers get."""
        pending = self._pending
        lines = pending.lines
        pending.topics.append(topic)
        pending.seqs.append(seq)
        lines.append(line)
        if timestamp_ms != pending.timestamp_ms:
            pending.tick(timestamp_ms)
        pending.size_bytes = size_bytes = pending.size_bytes + len(line)
        if len(lines) >= self._due_messages or size_bytes >= BATCH_BYTES:
            self._due()

    def extend(self, topic: str, first_seq: int, timestamp_ms: int, lines: Sequence[bytes]) -> None:
        """As `append`, for messages of one topic whose seqs follow each other."""
        size = sum(map(len, lines))
        if size <= BATCH_BYTES:
            self._extend(topic, first_seq, timestamp_ms, lines, size)
        elif max(map(len, lines)) > BATCH_BYTES:
            for seq, line in enumerate(lines, first_seq):
                self.append(topic, seq, timestamp_ms, line)
        else:
            # A batch gets no larger than two: what waits for its end, and a batch's worth more.
            step = max(BATCH_BYTES * len(lines) // size, 1)
            for at in range(0, len(lines), step):
                some = lines[at : at + step]
                self._extend(topic, first_seq + at, timestamp_ms, some, sum(map(len, some)))

    def _extend(
        self, topic: str, first_seq: int, timestamp_ms: int, lines: Sequence[bytes], size: int
    ) -> None:
        pending, count = self._pending, len(lines)
        pending.topics.extend([topic] * count)
        pending.seqs.extend(range(first_seq, first_seq + count))
        pending.lines.extend(lines)
        if timestamp_ms != pending.timestamp_ms:
            pending.tick(timestamp_ms)
        pending.size_bytes += size
        if len(pending.lines) >= self._due_messages or pending.size_bytes >= BATCH_BYTES:
            self._due()

    def is_sensitive(self, topic: str) -> bool:
        return self._sensitive.covers(topic)

    def admit(self, topic: str, *, remote: bool = False) -> bool:
        """Whether a message on a sensitive topic would wait in memory until it can be encrypted.

        Raises `DeskbusError` (unavailable) where it may not, or too many do; see
        `SensitiveMessages.admit`.
        """
        if self._sensitive.sealable():
            return False
        self._close_pending()
        self._sensitive.admit(topic, remote=remote)
        return True

    def check_durable(self, topic: str) -> None:
        """Raises `DeskbusError` (degraded, unavailable) where a message could not be kept now."""
        if self._reason:
            raise DeskbusError(DEGRADED, "Messages can't be written to disk at the moment.")
        self._sensitive.check_durable(topic)

    def when_durable(self, callback: Durable, topic: str | None = None) -> None:
        """Calls back when everything appended so far is on the disk; False if it did not get there.

        Of messages that wait to be encrypted that holds for those of `topic` alone: nobody else
        waits for them. While the state is degraded it is at once, in the loop's next turn.
        """
        sealed = topic is not None and self.is_sensitive(topic)
        if self._reason or self._suspended:
            self._loop.call_soon(callback, False)
        elif sealed and not self._sensitive.sealable():
            self._close_pending()
            self._sensitive.wait(Waiter(callback, sealed))
        elif self._unsynced_since is not None:
            self._waiting.append(Waiter(callback, sealed))
            self._flush_soon()
        elif self._busy:
            self._in_flight.append(Waiter(callback, sealed))
        else:
            self._loop.call_soon(callback, True)

    def vault_changed(self) -> None:
        """Somebody has unlocked the vault, or made one: what waits for it is written."""
        self._sensitive.vault_changed()

    def waits(self, topic: str) -> bool:
        """Whether messages of the topic wait to be encrypted."""
        return self._sensitive.waits(topic)

    async def flush(self) -> bool:
        """Whether all that can be is on the disk now; tries even while degraded."""
        landed = self._loop.create_future()

        def complete(ok: bool) -> None:
            if not landed.done():
                landed.set_result(ok)

        if self._failures and not self._busy:
            self._waiting.append(Waiter(complete))
            self._retry()
        elif self._failures:
            self._waiting.append(Waiter(complete))
        else:
            self.when_durable(complete)
        return bool(await landed)

    async def close(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Writes what is left and lets go of the folder; gives up after `within_s`.

        Waiters are told that it did not get there, and the log says which messages are lost.
        """
        if self._suspended:
            return
        self._close_pending()
        self._sensitive.sealable()
        try:
            async with asyncio.timeout(within_s):
                if not await self.flush():
                    log.error("persistence.lost", messages=self._backlog.messages)
                self._suspended = True
                self._sensitive.suspend()
                await self._worker.run(partial(self._log.close, self.position))
        except (OSError, TimeoutError) as error:
            log.error(  # noqa: TRY400
                "persistence.not_closed",
                reason=english_words(reason_of(error)),
                messages=self._held,
            )
        self._suspended = self._closed = True
        self._timers.cancel_all()
        self._worker.stop()
        call_all(self._in_flight + self._waiting + self._sensitive.close(), ok=False)

    async def read(self, query: LogQuery) -> AsyncIterator[LineBlock]:
        """Blocks of wanted lines, oldest first, those still in memory too.

        A block's `next_position` is where to go on; the last block, perhaps empty, has the
        `position` of the moment when reading began, or the query's own end.
        """
        self._close_pending()
        selection = Selection(query, self.position)
        held = [*self._backlog.batches, *self._sensitive.held.batches]
        held.sort(key=lambda batch: batch.first_position)
        starts = [batch.first_position for batch in held]
        not_late = [batch.first_position for batch in held if not batch.late]
        on_disk = min(selection.end_position, *not_late[:1], self.position)
        late = frozenset(batch.first_position for batch in held if batch.late)
        disk = self._log.read(msgspec.structs.replace(query, to_position=on_disk), without=late)
        async for block in read_ahead(disk):
            selection.position = block.next_position
            if selection.left is not None:
                selection.left -= block.lines.count(b"\n")
            yield block
        for batch, start in zip(held, starts, strict=True):
            if selection.done:
                break
            if start >= selection.end_position:
                continue
            lines = selection.pick_messages(batch)
            if lines:
                yield LineBlock(lines, selection.position)
        if not selection.done and selection.position < selection.end_position:
            yield LineBlock(b"", selection.end_position)

    @property
    def position(self) -> int:
        """The position of the next message: the number of messages kept before it."""
        return self._pending.end_position

    @property
    def written_position(self) -> int:
        """Up to where the log goes on from after a crash; what waits in memory may lie below."""
        return self._log.position

    @property
    def first_position(self) -> int:
        """Of the oldest message that is kept."""
        return min(self._log.first_position, self.position)

    @property
    def durable_position(self) -> int:
        """The position before which everything is on disk."""
        return self._log.synced_position

    @property
    def found_position(self) -> int:
        """The position before which earlier runs wrote."""
        return self._log.found.position if self._log.found else 0

    def since_ms(self, ago_ms: int, position: int) -> int:
        """The Unix ms from which on a message behind `position` is no older than `ago_ms`.

        Messages of earlier runs, whose clocks may have been others, count as old as the log proves.
        """
        now_ms, found = self._clock_ms(), self._log.found
        if found is None or found.newest_ms is None or position >= found.position:
            return now_ms - ago_ms
        return found.newest_ms + now_ms - found.at_ms - ago_ms

    @property
    def state(self) -> PersistenceState:
        phrases = self._sensitive.phrases
        if self._reason:
            state = degraded(self._reason, self._held, self._dropped)
            return state._replace(phrases=state.phrases + phrases)
        return PersistenceState("degraded", phrases) if phrases else PersistenceState("ok")

    def statistics(self) -> PersistenceStatistics:
        return PersistenceStatistics(
            log=self._log.statistics(),
            held=self._held + self._sensitive.held.messages,
            unsealed=self._sensitive.held.messages,
            refused=self._sensitive.refused,
            held_bytes=self._backlog.size_bytes
            + self._pending.size_bytes
            + self._sensitive.held.size_bytes,
            dropped=self._dropped,
        )

    @property
    def oldest_s(self) -> float:
        """The age of the oldest message that is not known to be on the disk; 0.0 for none."""
        since = [s for s in (self._flight_since, self._unsynced_since) if s is not None]
        return self._monotonic_s() - min(since) if since else 0.0

    def last_seqs(self) -> dict[str, int]:
        """The last seq of each topic that is in the log, as known after `start`."""
        return self._log.last_seqs()

    @property
    def forgotten_seq(self) -> int:
        """The highest last seq of topics that are not among `last_seqs` for want of room."""
        return self._log.forgotten_seq

    @property
    def _held(self) -> int:
        return self._backlog.messages + len(self._pending.lines)

    @property
    def _dropped(self) -> int:
        return self._backlog.dropped + self._too_large

    def _due(self) -> None:
        """Accepts the newest pending message, unless it is too large, and lets the writer go on."""
        if len(self._pending.lines[-1]) > MAX_LINE_BYTES:
            self._pending.drop_last()
            self._too_large += 1
            log.warning("persistence.too_large")
            return
        if self._unsynced_since is None:
            self._unsynced_since = self._monotonic_s()
        if self._pending.size_bytes >= BATCH_BYTES:
            self._close_pending()
        self._go_on()

    def _go_on(self) -> None:
        """Decides what is to happen next, and at which message to decide again."""
        if self._suspended or self._failures or self._busy or self._soon:
            pass
        elif self._waiting or self._sync_due or self._has_batch:
            self._flush_soon()
        elif self._unsynced_since is not None and self._sync_soon not in self._timers:
            left_s = self._unsynced_since + SYNC_AFTER_S - self._monotonic_s()
            self._timers.set(max(left_s, 0.0), self._sync_soon)
        if self._unsynced_since is None:
            self._due_messages = 1
        elif self._suspended or self._failures or self._busy or self._soon:
            self._due_messages = _NEVER
        else:
            self._due_messages = BATCH_MESSAGES

    @property
    def _has_batch(self) -> bool:
        return self._backlog.waits or len(self._pending.lines) >= BATCH_MESSAGES

    def _sync_soon(self) -> None:
        self._timers.cancel(self._sync_soon)
        self._sync_due = True
        self._flush_soon()

    def _flush_soon(self) -> None:
        """At the end of this turn of the loop, so that all its messages come along."""
        if not (self._suspended or self._failures or self._busy or self._soon):
            self._soon = True
            self._loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._soon = False
        if not (self._suspended or self._failures or self._busy):
            self._flush_group(sync=bool(self._waiting) or self._sync_due)

    def _flush_group(self, *, sync: bool) -> None:
        self._close_pending()
        # Where the log ends, and what is to be written with it, is known when it is open.
        opened = self._log.opened
        batches = self._backlog.next_group(MAX_FLIGHT_BYTES) if opened else []
        sync = sync and opened
        self._busy = True
        self._attempt = self.breaker.begin()
        if sync and not self._backlog.waits:
            self._in_flight, self._waiting = self._in_flight + self._waiting, []
            self._flight_since, self._unsynced_since = self._unsynced_since, None
            self._sync_due = False
            self._timers.cancel(self._sync_soon)
        self._timers.set(STALLED_AFTER_S, self._stalled)
        self._took_off_s, self._syncing = self._monotonic_s(), sync
        self._worker.submit(partial(self._log.write, batches, sync=sync), self._complete)
        self._go_on()

    def _complete(self, outcome: WrittenBatches | BaseException) -> None:
        if self._closed:
            return
        if isinstance(outcome, BaseException):
            outcome = WrittenBatches(0, outcome)
        self._busy = False
        if self._attempt is not None:
            sealing = isinstance(outcome.error, SealingError)
            failed = outcome.error is not None and not sealing
            self._attempt.failed() if failed else self._attempt.succeeded()
        self._timers.cancel(self._stalled)
        in_flight, self._in_flight = self._in_flight, []
        self._place()
        whole = self._backlog.complete(outcome.batches, self._log.position)
        batches = self._backlog.batches
        end_position = batches[-1].end_position if batches else self._log.position
        self._pending.first_position = max(self._pending.first_position, end_position)
        if isinstance(outcome.error, SealingError):
            self._set_aside(in_flight)
        elif outcome.error:
            waiting, self._waiting = self._waiting, []
            self._fail(outcome.error)
            call_all(in_flight + waiting, ok=False)
        else:
            self._failures = 0
            self._flight_since = None
            took_s = self._monotonic_s() - self._took_off_s
            self.flush_times["fsync" if self._syncing else "write"].observe(took_s)
            if not whole:
                self._give_up_waiting()
            self._set_reason(None if whole else TOO_SLOW)
            call_all(in_flight, ok=True)
        self._go_on()

    def _place(self) -> None:
        """Places the messages that were accepted before the log first opened behind those that it
        has.
        """
        if self._log.opened and not self._placed:
            self._placed = True
            for waiting in (self._backlog, self._sensitive.held):
                waiting.shift(self._log.position)
            self._pending.first_position += self._log.position

    def _set_aside(self, in_flight: list[Waiter]) -> None:
        """The vault can't be used any more: what is sensitive waits for it, all else goes on."""
        late = self._backlog.take_late(self.is_sensitive)
        if self._flight_since is not None:
            self._unsynced_since, self._flight_since = self._flight_since, None
        sealed = [w for w in in_flight + self._waiting if w.sealed]
        self._waiting = [w for w in in_flight + self._waiting if not w.sealed]
        self._sensitive.set_aside(late, sealed)
        if self._failures:
            self._timers.set(0.0, self._retry)

    def _write_released(self, batches: list[Messages], waiters: list[Waiter]) -> None:
        """Batches that have waited for the vault go the way of all others."""
        if batches:
            self._backlog.add_late(batches)
            if self._unsynced_since is None:
                self._unsynced_since = self._monotonic_s()
        if self._reason:
            self._loop.call_soon(partial(call_all, waiters, ok=False))
        else:
            self._waiting += waiters
        self._go_on()

    def _fail(self, error: BaseException) -> None:
        if self._flight_since is not None:
            self._unsynced_since, self._flight_since = self._flight_since, None
        self._timers.cancel(self._sync_soon)
        delay_s = self.breaker.wait_s or RETRY_AFTER_S[min(self._failures, len(RETRY_AFTER_S) - 1)]
        self._failures += 1
        self._timers.set(delay_s, self._retry)
        self._set_reason(reason_of(error))

    def _retry(self) -> None:
        self._timers.cancel(self._retry)
        self._flush_group(sync=True)

    def _stalled(self) -> None:
        """A flight takes too long: it may land yet, but nobody is kept waiting for it."""
        self._timers.cancel(self._stalled)
        waiting = self._in_flight + self._waiting
        self._in_flight, self._waiting = [], []
        self._set_reason(NO_ANSWER)
        call_all(waiting, ok=False)

    def _clean_up(self) -> None:
        self._worker.submit(self._log.retain_quietly, lambda _outcome: None)
        self._timers.set(CLEAN_UP_EVERY_S, self._clean_up)

    def _close_pending(self) -> None:
        """Turns the pending messages into a batch that waits."""
        pending = self._pending
        if pending.lines:
            self._pending = Messages(pending.end_position)
            if not self._keep(pending):
                self._give_up_waiting()
                self._set_reason(self._reason or TOO_SLOW)

    def _keep(self, batch: Messages) -> bool:
        """Whether nothing had to be dropped for it."""
        if not self._sensitive.must_wait(set(batch.topics)):
            return self._backlog.add(batch)
        whole = True
        for part in batch.split(self.is_sensitive):
            if part.late:
                self._sensitive.hold(part)
            else:
                whole = self._backlog.add(part) and whole
        self._sensitive.ask_vault()
        return whole

    def _give_up_waiting(self) -> None:
        """Something was dropped, and may have been what somebody waits for."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._loop.call_soon(partial(call_all, waiting, ok=False))

    def _set_reason(self, reason: Phrase | None) -> None:
        if reason == self._reason:
            return
        self._reason = reason
        if reason:
            log.warning("persistence.degraded", detail=self.state.detail)
        else:
            log.info("persistence.recovered")
