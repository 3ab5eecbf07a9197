"""MessagePersistence: the log as the event loop sees it. Nothing here waits for a disk."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import msgspec
import structlog

from deskbus.persistence.backlog import Backlog
from deskbus.persistence.batch import MAX_BATCH_BYTES, Messages
from deskbus.persistence.durable import Durable, call_all
from deskbus.persistence.files import Files
from deskbus.persistence.log import MessageLog, Statistics, Written
from deskbus.persistence.query import Query, Selection
from deskbus.persistence.reader import Block, read_ahead
from deskbus.persistence.retention import Retention
from deskbus.persistence.sealer import Sealer
from deskbus.persistence.state import NO_ANSWER, TOO_SLOW, State, degraded, reason_of
from deskbus.persistence.timers import CallLater, Timers
from deskbus.persistence.worker import Worker
from deskbus.reliability.breaker import Attempt, CircuitBreaker

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
    """`held` counts messages that wait in memory, `dropped` those that are lost."""

    log: Statistics
    held: int
    held_bytes: int
    dropped: int


class MessagePersistence:
    """Gathers messages and flies them to a thread that writes, one flight at a time.

    A flight leaves when somebody waits, when there is a batch's worth, or when the oldest message
    has waited long enough; what arrives meanwhile goes with the next. Every method is called in
    the loop that called `start`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        retention: Retention | None = None,
        compress: bool = False,
        sealer: Sealer | None = None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic_s: Callable[[], float] = time.monotonic,
        call_later: CallLater | None = None,
        files: Files | None = None,
    ) -> None:
        """`call_later` takes seconds and a callback, and is the loop's own unless given."""
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
        self._refused = 0
        self._waiting: list[Durable] = []
        self._flying: list[Durable] = []
        self._grounded = True
        self._closed = False
        self._busy = False
        self._soon = False
        self._unsynced_since: float | None = None
        self._flight_since: float | None = None
        self._sync_due = False
        self._due_messages = 1
        self._failures = 0
        self._reason = ""
        self.breaker = CircuitBreaker("disk", monotonic_s=monotonic_s)
        self._attempt: Attempt | None = None
        self.on_state_changed: Callable[[State], None] | None = None

    async def start(self) -> None:
        """Finds out what is on the disk. A failure shows in `state` and is tried again."""
        self._loop = asyncio.get_running_loop()
        self._timers = Timers(self._given_call_later or self._loop.call_later)
        self._worker = Worker("deskbus-persistence", self._loop)
        opened = asyncio.Event()
        self._flying.append(lambda _ok: opened.set())
        self._take_off(sync=False)
        await opened.wait()
        self._grounded = False
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

    def when_durable(self, callback: Durable) -> None:
        """Calls back when everything appended so far is on the disk; False if it did not get there.

        While the state is degraded that is at once, in the loop's next turn.
        """
        if self._reason or self._grounded:
            self._loop.call_soon(callback, False)
        elif self._unsynced_since is not None:
            self._waiting.append(callback)
            self._take_off_soon()
        elif self._busy:
            self._flying.append(callback)
        else:
            self._loop.call_soon(callback, True)

    async def flush(self) -> bool:
        """Whether everything appended so far is on the disk now; tries even while degraded."""
        landed = self._loop.create_future()

        def land(ok: bool) -> None:
            if not landed.done():
                landed.set_result(ok)

        if self._failures and not self._busy:
            self._waiting.append(land)
            self._retry()
        elif self._failures:
            self._waiting.append(land)
        else:
            self.when_durable(land)
        return bool(await landed)

    async def close(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Writes what is left and lets go of the folder; gives up after `within_s`.

        Whoever still waits is told that it did not get there.
        """
        if self._grounded:
            return
        try:
            async with asyncio.timeout(within_s):
                if not await self.flush():
                    log.error("persistence.lost", messages=self._held)
                self._grounded = True
                await self._worker.run(self._log.close)
        except (OSError, TimeoutError) as error:
            log.error(  # noqa: TRY400
                "persistence.not_closed", reason=reason_of(error), messages=self._held
            )
        self._grounded = self._closed = True
        self._timers.cancel_all()
        self._worker.stop()
        call_all(self._flying + self._waiting, ok=False)

    async def read(self, query: Query) -> AsyncIterator[Block]:
        """Blocks of wanted lines, oldest first, those still in memory too.

        A block's `next_position` is where to go on; the last block, perhaps empty, has the
        `position` of the moment when reading began, or the query's own end.
        """
        self._close_pending()
        selection = Selection(query, self.position)
        held = self._backlog.batches
        starts = [batch.first_position for batch in held]
        on_disk = min(selection.end_position, *starts[:1], self.position)
        disk = self._log.read(msgspec.structs.replace(query, to_position=on_disk))
        async for block in read_ahead(disk):
            selection.position = block.next_position
            if selection.left is not None:
                selection.left -= block.lines.count(b"\n")
            yield block
        for batch, start in zip(held, starts, strict=True):
            if selection.done or start >= selection.end_position:
                break
            lines = selection.pick_messages(batch)
            if lines:
                yield Block(lines, selection.position)
        if not selection.done and selection.position < selection.end_position:
            yield Block(b"", selection.end_position)

    @property
    def position(self) -> int:
        """That of the next message: how many have been kept before it."""
        return self._pending.end_position

    @property
    def state(self) -> State:
        if not self._reason:
            return State("ok")
        return degraded(self._reason, self._held, self._dropped)

    def statistics(self) -> PersistenceStatistics:
        return PersistenceStatistics(
            log=self._log.statistics(),
            held=self._held,
            held_bytes=self._backlog.size_bytes + self._pending.size_bytes,
            dropped=self._dropped,
        )

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
        return self._backlog.dropped + self._refused

    def _due(self) -> None:
        """There is a first message, or a batch's worth."""
        if len(self._pending.lines[-1]) > MAX_LINE_BYTES:
            self._pending.drop_last()
            self._refused += 1
            log.warning("persistence.too_large")
            return
        if self._unsynced_since is None:
            self._unsynced_since = self._monotonic_s()
        if self._pending.size_bytes >= BATCH_BYTES:
            self._close_pending()
        self._go_on()

    def _go_on(self) -> None:
        """Decides what is to happen next, and at which message to decide again."""
        if self._grounded or self._failures or self._busy or self._soon:
            pass
        elif self._waiting or self._sync_due or self._has_batch:
            self._take_off_soon()
        elif self._unsynced_since is not None and self._sync_soon not in self._timers:
            left_s = self._unsynced_since + SYNC_AFTER_S - self._monotonic_s()
            self._timers.set(max(left_s, 0.0), self._sync_soon)
        if self._unsynced_since is None:
            self._due_messages = 1
        elif self._grounded or self._failures or self._busy or self._soon:
            self._due_messages = _NEVER
        else:
            self._due_messages = BATCH_MESSAGES

    @property
    def _has_batch(self) -> bool:
        return self._backlog.waits or len(self._pending.lines) >= BATCH_MESSAGES

    def _sync_soon(self) -> None:
        self._timers.cancel(self._sync_soon)
        self._sync_due = True
        self._take_off_soon()

    def _take_off_soon(self) -> None:
        """At the end of this turn of the loop, so that all its messages come along."""
        if not (self._grounded or self._failures or self._busy or self._soon):
            self._soon = True
            self._loop.call_soon(self._take_off_now)

    def _take_off_now(self) -> None:
        self._soon = False
        if not (self._grounded or self._failures or self._busy):
            self._take_off(sync=bool(self._waiting) or self._sync_due)

    def _take_off(self, *, sync: bool) -> None:
        self._close_pending()
        batches = self._backlog.take_off(MAX_FLIGHT_BYTES)
        self._busy = True
        self._attempt = self.breaker.begin()
        if sync and not self._backlog.waits:
            self._flying, self._waiting = self._flying + self._waiting, []
            self._flight_since, self._unsynced_since = self._unsynced_since, None
            self._sync_due = False
            self._timers.cancel(self._sync_soon)
        self._timers.set(STALLED_AFTER_S, self._stalled)
        self._worker.submit(partial(self._log.write, batches, sync=sync), self._land)
        self._go_on()

    def _land(self, outcome: Written | Exception) -> None:
        if self._closed:
            return
        if isinstance(outcome, Exception):
            outcome = Written(0, outcome)
        self._busy = False
        if self._attempt is not None:
            self._attempt.failed() if outcome.error else self._attempt.succeeded()
        self._timers.cancel(self._stalled)
        flying, self._flying = self._flying, []
        whole = self._backlog.land(outcome.batches, self._log.position)
        batches = self._backlog.batches
        end_position = batches[-1].end_position if batches else self._log.position
        self._pending.first_position = max(self._pending.first_position, end_position)
        if outcome.error:
            waiting, self._waiting = self._waiting, []
            self._fail(outcome.error)
            call_all(flying + waiting, ok=False)
        else:
            self._failures = 0
            self._flight_since = None
            if not whole:
                self._give_up_waiting()
            self._set_reason("" if whole else TOO_SLOW)
            call_all(flying, ok=True)
        self._go_on()

    def _fail(self, error: Exception) -> None:
        if self._flight_since is not None:
            self._unsynced_since, self._flight_since = self._flight_since, None
        self._timers.cancel(self._sync_soon)
        delay_s = self.breaker.wait_s or RETRY_AFTER_S[min(self._failures, len(RETRY_AFTER_S) - 1)]
        self._failures += 1
        self._timers.set(delay_s, self._retry)
        self._set_reason(reason_of(error))

    def _retry(self) -> None:
        self._timers.cancel(self._retry)
        self._take_off(sync=True)

    def _stalled(self) -> None:
        """A flight takes too long: it may land yet, but nobody is kept waiting for it."""
        self._timers.cancel(self._stalled)
        waiting = self._flying + self._waiting
        self._flying, self._waiting = [], []
        self._set_reason(NO_ANSWER)
        call_all(waiting, ok=False)

    def _clean_up(self) -> None:
        self._worker.submit(self._log.retain_quietly, lambda _outcome: None)
        self._timers.set(CLEAN_UP_EVERY_S, self._clean_up)

    def _close_pending(self) -> None:
        """What is pending becomes a batch that waits."""
        pending = self._pending
        if pending.lines:
            self._pending = Messages(pending.end_position)
            if not self._backlog.add(pending):
                self._give_up_waiting()
                self._set_reason(self._reason or TOO_SLOW)

    def _give_up_waiting(self) -> None:
        """Something was dropped, and may have been what somebody waits for."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._loop.call_soon(partial(call_all, waiting, ok=False))

    def _set_reason(self, reason: str) -> None:
        if reason == self._reason:
            return
        self._reason = reason
        state = self.state
        if reason:
            log.warning("persistence.degraded", detail=state.detail)
        else:
            log.info("persistence.recovered")
        if self.on_state_changed:
            self.on_state_changed(state)
