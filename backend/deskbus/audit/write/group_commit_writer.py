"""The thread that writes the log: gathers what was told, writes it in groups, and lives on.

A group goes to disk with one write and one fdatasync, and answers everybody who waits for a record
in it. A disk that fails makes it refuse those, keep what nobody waits for, and try again; a write
that failed is taken back, and the log goes on as after a crash.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import structlog

from deskbus.audit.format.record import Stamped
from deskbus.audit.write.chain_writer import KEYS_EVERY_S, ChainWriter, Clock
from deskbus.audit.write.recovery import Opening
from deskbus_protocol.events import AuditDropped, AuditSetAside

LINGER_S = 0.25
"""Longest batching delay of records that nobody awaits."""

GROUP_RECORDS = 8192
CROWD = 1024
"""The number of waiting records at which a batch is written at once."""

MAX_WAITING = 100_000
"""While the disk fails or is slow, so many events are kept in memory; of more, their number."""

RETRY_S = 1.0
MIN_RETRY_S = 0.2
"""Somebody who waits makes it try again sooner."""

log = structlog.get_logger()

Answer = Callable[[bool], None]
"""Called on the writer's thread with whether the record is on disk."""


class CommittedGroup(NamedTuple):
    """The result of a group commit: the lines of its records, and the log after it."""

    lines: list[bytes]
    size: int
    root: bytes
    file: int
    checkpoint: str


class _Waiting(NamedTuple):
    stamped: Stamped
    answer: Answer | None


class GroupCommitWriter:
    def __init__(
        self,
        open_ledger: Callable[[], Opening],
        clock: Clock,
        *,
        on_written: Callable[[CommittedGroup], None],
        on_state: Callable[[str, Opening | None], None],
    ) -> None:
        """`on_state` gets "" when all is well, else why not; both run on the writer's thread."""
        self._open_ledger = open_ledger
        self._clock = clock
        self._on_written = on_written
        self._on_state = on_state
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._in_hand = 0
        """Records of the group that is being written, which may have to wait again."""

        self._urgent = 0
        self._closing = False
        self._dropped = 0
        self._failing = False
        self._keys_due = False
        self._chain_writer: ChainWriter | None = None
        self._tried_us = 0
        self._busy_since_us = 0
        self._thread: threading.Thread | None = None

    def put(self, stamped: Stamped, answer: Answer | None = None) -> None:
        """From any thread; neither waits nor raises."""
        with self._changed:
            refused = self._closing and answer is not None
            if answer is None and len(self._waiting) + self._in_hand >= MAX_WAITING:
                self._dropped += 1
                return
            if not refused:
                self._waiting.append(_Waiting(stamped, answer))
                if answer is not None:
                    self._urgent += 1
                if answer is not None or len(self._waiting) in (1, CROWD):
                    self._changed.notify()
        if refused and answer is not None:
            answer(False)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    @property
    def started(self) -> bool:
        return self._thread is not None

    @property
    def busy_s(self) -> float:
        """Seconds that the write in progress has taken so far; 0.0 where there is none."""
        since_us = self._busy_since_us
        return (self._clock.mono_us() - since_us) / 1_000_000 if since_us else 0.0

    def close(self, within_s: float) -> None:
        """Blocks until all is on disk and the log is closed, or the time is over."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(within_s)
        self.refuse_all()

    def refuse_all(self) -> None:
        """Refuses every waiting caller, since nothing can be written."""
        with self._changed:
            refused = [waiting for waiting in self._waiting if waiting.answer]
            self._waiting = deque(w for w in self._waiting if not w.answer)
            self._urgent = 0
        for waiting in refused:
            if waiting.answer is not None:
                waiting.answer(False)

    def _run(self) -> None:
        while True:
            group = self._gather()
            self._busy_since_us = self._clock.mono_us()
            if self._chain_writer is None and (group or not self._closing):
                self._reopen()
            if group:
                self._write(group)
            if self._closing and (not group or self._chain_writer is None):
                break
            self._keep_keys()
            self._busy_since_us = 0
        if self._chain_writer is not None:
            try:
                self._chain_writer.close()
            except OSError as error:
                log.warning("audit.not_closed", reason=error.strerror)

    def _gather(self) -> list[_Waiting]:
        """Waits for the next group, or until something else is due."""
        with self._changed:
            self._in_hand = 0
            if self._dropped and self._chain_writer is not None:
                self._waiting.append(self._noted(AuditDropped(count=self._dropped)))
                self._dropped = 0
            if self._chain_writer is None:
                if self._tried_us and not self._urgent and not self._closing:
                    self._changed.wait(RETRY_S)
            elif not self._waiting and not self._closing:
                self._changed.wait(KEYS_EVERY_S if self._keys_due else None)
            alone = 0 < len(self._waiting) < CROWD and not self._urgent and not self._closing
            if alone and self._chain_writer is not None:
                self._changed.wait(LINGER_S)
            self._urgent = 0
            count = self._in_hand = min(len(self._waiting), GROUP_RECORDS)
            return [self._waiting.popleft() for _ in range(count)]

    def _reopen(self) -> ChainWriter | None:
        since_us = self._clock.mono_us() - self._tried_us
        if self._tried_us and since_us < MIN_RETRY_S * 1_000_000:
            return None
        self._tried_us = self._clock.mono_us()
        try:
            opening = self._open_ledger()
        except Exception as error:  # noqa: BLE001  # if this thread ended, commits would wait for ever
            self._fail(error)
            return None
        self._chain_writer = opening.chain_writer
        self._failing = False
        self._tried_us = 0
        log.info(
            "audit.opened",
            size=opening.chain_writer.size,
            unsigned=opening.unsigned,
            torn=opening.torn_bytes,
        )
        if opening.set_aside:
            log.error("audit.set_aside", folder=opening.set_aside, reason=opening.reason)
            set_aside = AuditSetAside(folder=opening.set_aside, reason=opening.reason)
            with self._changed:
                self._waiting.appendleft(self._noted(set_aside))
        self._on_state("", opening)
        chain_writer = opening.chain_writer
        self._on_written(
            CommittedGroup(
                [], chain_writer.size, chain_writer.root, chain_writer.file, chain_writer.newest
            )
        )
        return chain_writer

    def _noted(self, event: AuditDropped | AuditSetAside) -> _Waiting:
        return _Waiting(Stamped(event, self._clock.now_ms(), self._clock.mono_us()), None)

    def _write(self, group: list[_Waiting]) -> None:
        chain_writer = self._chain_writer
        if chain_writer is None:
            self._give_back(group)
            return
        before = chain_writer.size
        try:
            lines = chain_writer.append([waiting.stamped for waiting in group])
        except OSError as error:
            chain_writer.abandon()
            self._fail(error)
            reopened = self._reopen()
            # Lines that could not be taken back were adopted when the log was opened again.
            self._give_back(group, done=reopened.size - before if reopened else 0)
            return
        except Exception as error:  # noqa: BLE001  # what can't be written must not come back for ever
            chain_writer.abandon()
            self._fail(error)
            with self._changed:
                self._dropped += sum(waiting.answer is None for waiting in group)
            self._give_back([waiting for waiting in group if waiting.answer is not None])
            return
        self._keys_due = True
        written = CommittedGroup(
            lines, chain_writer.size, chain_writer.root, chain_writer.file, chain_writer.newest
        )
        self._on_written(written)
        for waiting in group:
            if waiting.answer is not None:
                waiting.answer(True)

    def _give_back(self, group: list[_Waiting], done: int = 0) -> None:
        """Refuses those that somebody waits for, and keeps the others."""
        kept = [waiting for waiting in group[done:] if waiting.answer is None]
        with self._changed:
            self._waiting.extendleft(reversed(kept))
            self._in_hand = 0
        for at, waiting in enumerate(group):
            if waiting.answer is not None:
                waiting.answer(at < done)

    def _fail(self, error: Exception) -> None:
        reason = "an internal fault"
        if isinstance(error, OSError):
            reason = error.strerror or "the disk does not take it"
        if not self._failing:
            log.error("audit.disk", reason=reason, kind=type(error).__name__)
        self._failing = True
        self._chain_writer = None
        self._on_state(f"can't be written: {reason}", None)

    def _keep_keys(self) -> None:
        if self._chain_writer is None or not self._keys_due:
            return
        try:
            if self._chain_writer.keep_keys():
                self._keys_due = False
        except OSError as error:
            self._chain_writer.abandon()
            self._fail(error)
