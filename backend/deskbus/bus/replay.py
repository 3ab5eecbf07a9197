"""Replay: persisted messages again, then live ones, with no gap between and none twice."""

from collections.abc import AsyncIterator, Callable
from math import inf
from typing import Protocol

from msgspec import Raw, UnsetType, structs

from deskbus.bus.acknowledged import MAX_WAITING, MAX_WAITING_BYTES
from deskbus.bus.client import Rank, Reader
from deskbus.bus.gone import gone
from deskbus.bus.interapplication import InterApplicationBus
from deskbus.bus.member import Connected, Member
from deskbus.bus.message import envelope, origin
from deskbus.bus.owed import Owed
from deskbus_protocol.bus import ContinuedParams, ContinueParams, GapParams
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import CONFLICT, DeskbusError
from deskbus_protocol.framing import lines_of
from deskbus_protocol.history import MessageList, QueryParams, ReplayParams
from deskbus_protocol.rpc import notification
from deskbus_protocol.topics import matches

MAX_CAPTURED_BYTES = 32 * 1024 * 1024
"""Live messages held back while the log is read; beyond, they are read from the log as well."""

WINDOW_LIMITS = (MAX_WAITING_BYTES // 2, MAX_WAITING // 2)

MAX_ANSWER_BYTES = 3 * 1024 * 1024
"""Of a query's answer, which is one frame."""


class Log(Protocol):
    """The persisted messages; a position counts all of them, since the log began."""

    @property
    def available(self) -> bool:
        """Whether there is a log at all."""

    def persists(self, topic: str) -> bool: ...

    @property
    def position(self) -> int:
        """Of the next message that is appended."""

    def read(
        self,
        wants: Callable[[str], bool],
        *,
        since_ms: int = 0,
        from_seq: int = 0,
        until_ms: int | None = None,
        from_position: int = 0,
        to_position: int | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[bytes]:
        """Blocks of whole lines, oldest first; raises `DeskbusError` where there is no log."""


class _Capture:
    """Holds live messages back, in order."""

    def __init__(self, limit_bytes: int, limit: float = inf) -> None:
        self.held: list[tuple[bytes, str, int]] = []
        self._bytes = 0
        self._limit_bytes = limit_bytes
        self._limit = limit

    @property
    def overflowed(self) -> bool:
        return self._bytes > self._limit_bytes or len(self.held) > self._limit

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        if topic is not None and not self.overflowed:
            self.held.append((line, topic, seq))
            self._bytes += len(line)

    def reset(self) -> list[tuple[bytes, str, int]]:
        held, self.held, self._bytes = self.held, [], 0
        return held


class Replays:
    def __init__(self, bus: InterApplicationBus, log: Log) -> None:
        self._bus = bus
        self._log = log

    async def go_on(
        self, identity: Sender, params: ContinueParams, *, not_before_ms: int = 0
    ) -> int:
        """Subscribes, sends what the log has, and tells what of other topics is gone.

        What was sent earlier than `not_before_ms` (Unix) is told as gone too. Returns how many
        messages came from the log. Raises `DeskbusError` (invalid_topic, invalid_params,
        overloaded).
        """
        pattern = params.pattern
        wants = self._wants(identity, pattern)
        withheld = await self._withheld(self._bus.member(identity), wants, params, not_before_ms)
        member = self._bus.member(identity)
        connection = member.connection
        if connection is None:
            return 0
        self._bus.subscribe(identity, pattern, params.mode, params.sources or ())
        from_log = self._log.persists
        owed = None
        if params.mode == "acknowledged":
            epoch, earlier = self._bus.broker.epoch, tuple(member.owed)
            recent = structs.replace(params, since=max(params.since, not_before_ms))
            owed = Owed(member.window, wants, recent, epoch=epoch, earlier=earlier)
            member.owed.append(owed)
            owed.release(from_log)
        lost = gone(
            self._bus.broker,
            lambda topic: wants(topic) and not from_log(topic),
            since_ms=params.since,
            seen=params.seen,
            waiting=member.window.first_seqs(),
        )
        for gap in (*withheld, *lost):
            connection.put(notification("bus.gap", gap) + b"\n", None, 0)
        begun = notification("bus.continued", ContinuedParams(pattern=pattern))
        connection.put(begun + b"\n", None, 0)
        if owed is not None:
            owed.send_again()
        if not self._log.available:
            return 0
        since = max(owed.since if owed else params.since, not_before_ms)
        return await self._follow(
            member, connection, ReplayParams(pattern=pattern, since=since, follow=True), owed
        )

    async def replay(self, identity: Sender, params: ReplayParams) -> int:
        """Sends the log's messages and returns their number; then follows, if asked to.

        Waits for a reader that is slow. An acknowledged subscription to the pattern stays one.
        Raises `DeskbusError` (conflict where there is no log, or a replay is under way).
        """
        member = self._bus.member(identity)
        connection = member.connection
        if connection is None:
            return 0
        if not params.follow:
            return await self._send(member, connection, params, 0, self._log.position)
        return await self._follow(member, connection, params)

    async def _follow(
        self,
        member: Member,
        connection: Connected,
        params: ReplayParams,
        owed: Owed | None = None,
    ) -> int:
        pattern, position = params.pattern, self._log.position
        before = member.client.subscriptions.get(pattern, member.live)
        if before.rank == Rank.REPLAY:
            raise DeskbusError(CONFLICT, "A replay of this pattern is under way.")
        # A window takes less; what it could not would be dead.
        capture = _Capture(MAX_CAPTURED_BYTES) if owed is None else _Capture(*WINDOW_LIMITS)
        reader = Reader(member.client, Rank.REPLAY, capture)
        # What is published from here on is captured, and all before it is below this position.
        self._bus.broker.subscribe(member.client, pattern, reader)
        try:
            sent, start = 0, 0
            while True:
                sent += await self._send(member, connection, params, start, position, owed)
                if not capture.overflowed:
                    return sent
                self._tell_lost(member, capture.reset())
                start, position = position, self._log.position
        finally:
            self._hand_over(member, pattern, reader, before, capture)

    def _hand_over(
        self, member: Member, pattern: str, reader: Reader, before: Reader, capture: _Capture
    ) -> None:
        """Puts the subscription back to what it was, or live, behind what was captured.

        Where the client has ended or replaced the subscription meanwhile, that stays so.
        """
        if member.client.subscriptions.get(pattern) is reader:
            self._bus.broker.subscribe(member.client, pattern, before)
        for line, topic, seq in capture.reset():
            heir = member.client.reader_of(topic)
            if heir is not None:
                heir.put(line, topic, seq)

    async def _withheld(
        self,
        member: Member,
        wants: Callable[[str], bool],
        params: ContinueParams,
        not_before_ms: int,
    ) -> list[GapParams]:
        """What the log has behind what the client has seen, and may not be sent to it.

        What waits in its window is not among it.
        """
        if params.since >= not_before_ms or not self._log.available:
            return []
        waiting = member.window.all_seqs()
        ranges: dict[tuple[str, str], tuple[int, int]] = {}
        blocks = self._log.read(wants, since_ms=params.since, until_ms=not_before_ms - 1)
        async for block in blocks:
            for line in lines_of(block):
                read = origin(line)
                seen = params.seen.get(read.epoch, {}).get(read.topic, 0)
                if read.seq > seen and (read.topic, read.seq) not in waiting:
                    first, _ = ranges.get((read.topic, read.epoch), (read.seq, 0))
                    ranges[read.topic, read.epoch] = (first, read.seq)
        return [
            GapParams(topic=topic, epoch=epoch, first=first, last=last, reason="disconnected")
            for (topic, epoch), (first, last) in ranges.items()
        ]

    async def query(self, identity: Sender, params: QueryParams) -> MessageList:
        """Raises `DeskbusError` (conflict) where there is no log."""
        found: list[Raw] = []
        size = 0
        blocks = self._log.read(
            self._wants(identity, params.pattern),
            since_ms=params.since or 0,
            from_seq=params.from_seq,
            until_ms=None if isinstance(params.until, UnsetType) else params.until,
            limit=params.limit + 1,
        )
        async for block in blocks:
            for line in lines_of(block):
                size += len(line)
                if len(found) == params.limit or (found and size > MAX_ANSWER_BYTES):
                    return MessageList(messages=found, more=True)
                found.append(envelope(line))
        return MessageList(messages=found)

    async def _send(
        self,
        member: Member,
        connection: Connected,
        params: ReplayParams,
        start: int,
        until: int,
        owed: Owed | None = None,
    ) -> int:
        """What the log holds from position `start` to `until`; returns how many messages."""
        sent = 0
        blocks = self._log.read(
            self._wants(member.identity, params.pattern),
            since_ms=params.since,
            from_seq=params.from_seq,
            from_position=start,
            to_position=until,
        )
        async for block in blocks:
            await connection.writable()
            if owed is not None:
                sent += await owed.take(block)
            else:
                connection.put_block(block)
                sent += block.count(b"\n")
        return sent

    def _wants(self, identity: Sender, pattern: str) -> Callable[[str], bool]:
        may_read = self._bus.reads_of(identity)
        return lambda topic: matches(pattern, topic) and may_read(topic)

    def _tell_lost(self, member: Member, held: list[tuple[bytes, str, int]]) -> None:
        """What was captured comes from the log again, but for topics that are not in it."""
        for _, topic, seq in held:
            if not self._log.persists(topic):
                member.lost_when_slow(topic, seq)
