"""TopicLog: which topics are persisted, and what the bus asks of their log."""

from collections.abc import AsyncGenerator, Callable, Sequence

from deskbus.contracts.log_query import LogQuery
from deskbus.persistence.service import MessagePersistence
from deskbus_protocol.errors import CONFLICT, DeskbusError
from deskbus_protocol.topics import matches

MAX_KNOWN_TOPICS = 100_000


class TopicLog:
    """Policy by pattern over one `MessagePersistence`, or over none, where that is switched off."""

    def __init__(
        self,
        persistence: MessagePersistence | None,
        patterns: Sequence[str],
        *,
        never: Sequence[str],
    ) -> None:
        """A topic that fits `never` is not persisted, whatever `patterns` say."""
        self._persistence = persistence
        self._never = tuple(never)
        self._patterns = tuple(patterns) if persistence else ()
        self._known: dict[str, bool] = {}
        self._last_seqs: dict[str, int] | None = None

    def persists(self, topic: str) -> bool:
        known = self._known.get(topic)
        if known is None:
            if len(self._known) >= MAX_KNOWN_TOPICS:
                self._known.clear()
            known = any(matches(pattern, topic) for pattern in self._patterns) and not any(
                matches(pattern, topic) for pattern in self._never
            )
            self._known[topic] = known
        return known

    def last_seq(self, topic: str) -> int:
        """The seq of the topic's last message before this run; 0 where there was none."""
        if self._persistence is None:
            return 0
        if self._last_seqs is None:
            self._last_seqs = self._persistence.last_seqs()
        return self._last_seqs.get(topic, self._persistence.forgotten_seq)

    def append(self, topic: str, seq: int, timestamp_ms: int, line: bytes) -> None:
        if self._persistence is not None:
            self._persistence.append(topic, seq, timestamp_ms, line)

    def extend(self, topic: str, first_seq: int, timestamp_ms: int, lines: Sequence[bytes]) -> None:
        if self._persistence is not None:
            self._persistence.extend(topic, first_seq, timestamp_ms, lines)

    def is_sensitive(self, topic: str) -> bool:
        """Whether it is persisted, and written encrypted only."""
        return (
            self._persistence is not None
            and self.persists(topic)
            and self._persistence.is_sensitive(topic)
        )

    def admit(self, topic: str, *, remote: bool = False) -> bool:
        """Whether a message on a sensitive topic would wait in memory to be encrypted.

        Raises `DeskbusError` (unavailable) where it is not to be published.
        """
        return self._persistence is not None and self._persistence.admit(topic, remote=remote)

    def waits(self, topic: str) -> bool:
        """Whether messages of the topic wait in memory to be encrypted."""
        return self._persistence is not None and self._persistence.waits(topic)

    def check_durable(self, topic: str) -> None:
        """Raises `DeskbusError`: conflict for a topic without a log, degraded for a sick disk.

        Unavailable for a message that can't be encrypted.
        """
        if not self.persists(topic):
            raise DeskbusError(
                CONFLICT,
                f"{topic} is not a persisted topic.",
                action="Name it in [persistence] topics, or publish without durable.",
            )
        if self._persistence is not None:
            self._persistence.check_durable(topic)

    def when_durable(self, callback: Callable[[bool], None], topic: str | None = None) -> None:
        if self._persistence is None:
            callback(False)
        else:
            self._persistence.when_durable(callback, topic)

    @property
    def available(self) -> bool:
        return self._persistence is not None

    @property
    def position(self) -> int:
        return self._available().position

    @property
    def written_position(self) -> int:
        return self._available().written_position

    @property
    def first_position(self) -> int:
        """Of the oldest message that is kept."""
        return self._available().first_position

    @property
    def durable_position(self) -> int:
        """The position before which everything is on disk."""
        return self._available().durable_position

    @property
    def found_position(self) -> int:
        """The position before which earlier runs wrote."""
        return self._available().found_position

    def since_ms(self, ago_ms: int, position: int) -> int:
        """The Unix ms from which on a message behind `position` is no older than `ago_ms`."""
        return self._available().since_ms(ago_ms, position)

    async def read(self, query: LogQuery) -> AsyncGenerator[bytes, None]:
        """Blocks of whole lines, oldest first; raises `DeskbusError` (conflict) without a log."""
        async for block in self._available().read(query):
            if block.lines:
                yield block.lines

    def _available(self) -> MessagePersistence:
        if self._persistence is None:
            raise DeskbusError(
                CONFLICT,
                "Persistence is switched off.",
                action="Switch it on in [persistence] of the configuration.",
            )
        return self._persistence
