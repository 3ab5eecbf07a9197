"""MessageLog's sides: what the bus and the federation ask of the persisted messages."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Protocol

from deskbus.contracts.log_query import LogQuery


class SequenceLog(Protocol):
    """The message log's memory of seqs over restarts."""

    def persists(self, topic: str) -> bool: ...

    def is_sensitive(self, topic: str) -> bool:
        """Whether each message has to be admitted, for it is written encrypted only."""

    def last_seq(self, topic: str) -> int:
        """The topic's last seq in an earlier epoch; 0 where there was none."""


class MessageLogWriter(SequenceLog, Protocol):
    """The message log as the broker writes to it."""

    def append(self, topic: str, seq: int, timestamp_ms: int, line: bytes) -> None: ...

    def extend(self, topic: str, first_seq: int, timestamp_ms: int, lines: Sequence[bytes]) -> None:
        """As `append`, for messages of one topic whose seqs follow each other."""

    def admit(self, topic: str, *, remote: bool = False) -> bool:
        """Whether a message on a sensitive topic would wait in memory; raises `DeskbusError`."""


class DurabilityLog(Protocol):
    """The message log as publishers wait for it."""

    def check_durable(self, topic: str) -> None:
        """Raises `DeskbusError` where a message on `topic` could not be made durable now."""

    def when_durable(self, callback: Callable[[bool], None], topic: str | None = None) -> None: ...


class MessageLogReader(Protocol):
    """The persisted messages; a position counts all of them, since the log began."""

    @property
    def available(self) -> bool:
        """Whether there is a log at all."""

    def persists(self, topic: str) -> bool: ...

    @property
    def position(self) -> int:
        """Of the next message that is appended."""

    @property
    def first_position(self) -> int:
        """Of the oldest message that is kept."""

    @property
    def durable_position(self) -> int:
        """The position before which everything is on disk."""

    @property
    def found_position(self) -> int:
        """The position before which earlier runs wrote."""

    def since_ms(self, ago_ms: int, position: int) -> int:
        """The Unix ms from which on a message behind `position` is no older than `ago_ms`."""

    def read(self, query: LogQuery) -> AsyncIterator[bytes]:
        """Blocks of whole lines, oldest first; raises `DeskbusError` where there is no log."""


class FederatedLog(Protocol):
    """The persisted messages; a position counts all of them, since the log began."""

    @property
    def position(self) -> int:
        """Of the next message that is appended."""

    @property
    def written_position(self) -> int:
        """From where it goes on after a crash."""

    def persists(self, topic: str) -> bool: ...

    def waits(self, topic: str) -> bool:
        """Whether messages of the topic wait in memory to be encrypted."""

    def when_durable(self, callback: Callable[[bool], None]) -> None:
        """Calls back when everything appended so far is on disk; False if it did not get there."""

    def read(self, query: LogQuery) -> AsyncGenerator[bytes, None]:
        """Blocks of whole lines, oldest first."""
