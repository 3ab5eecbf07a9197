"""Replay: persisted messages again, then live ones, with no gap between and none twice."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from math import inf
from typing import NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from deskbus.bus.broker import MAX_SUBSCRIPTIONS
from deskbus.bus.delivery.acknowledged import MAX_WAITING, MAX_WAITING_BYTES
from deskbus.bus.encoded_message import Origin, envelope, origin
from deskbus.bus.member import Connected, Member
from deskbus.bus.recovery.acknowledged_catchup import AcknowledgedCatchup
from deskbus.bus.recovery.client_progress import ClientProgress, Last
from deskbus.bus.recovery.restart_gaps import restart_gaps
from deskbus.bus.route import Rank, Reader
from deskbus.bus.service import InterApplicationBus
from deskbus.contracts.log_query import LogQuery
from deskbus.contracts.message_log import MessageLogReader
from deskbus_protocol.bus import ContinuedParams, ContinueParams, ContinueResult, GapParams, Mark
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import CONFLICT, OVERLOADED, DeskbusError
from deskbus_protocol.history import MessageList, QueryParams, ReplayParams
from deskbus_protocol.topics import matches
from deskbus_protocol.wire.framing import lines_of
from deskbus_protocol.wire.rpc import notification

MAX_CAPTURED_BYTES = 32 * 1024 * 1024
"""Live messages held back while the log is read; beyond, they are read from the log as well."""


WINDOW_LIMITS = (MAX_WAITING_BYTES // 2, MAX_WAITING // 2)


MAX_ANSWER_BYTES = 3 * 1024 * 1024
"""Limit of a query's answer, which is one frame."""


LINES_A_PIECE = 256
"""Lines of the log that are looked at in one turn of the loop, which takes less than 1 ms."""

MAX_OWED = MAX_SUBSCRIPTIONS
MAX_OWED_MESSAGES = 20_000
"""Subscriptions that one session continues, and messages that it names as not acknowledged."""


def _parts(block: bytes) -> Iterator[list[bytes]]:
    lines = lines_of(block)
    for first in range(0, len(lines), LINES_A_PIECE):
        yield lines[first : first + LINES_A_PIECE]


class _Capture:
    """Holds live messages back, in order."""

    def __init__(self, limit_bytes: int, limit: float = inf) -> None:
        self.held: list[tuple[bytes, str, int]] = []
        self.first: dict[str, int] = {}
        """The seq of the first message that came, by topic."""
        self._bytes = 0
        self._limit_bytes = limit_bytes
        self._limit = limit

    @property
    def overflowed(self) -> bool:
        return self._bytes > self._limit_bytes or len(self.held) > self._limit

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        if topic is None:
            return
        self.first.setdefault(topic, seq)
        if not self.overflowed:
            self.held.append((line, topic, seq))
            self._bytes += len(line)

    def reset(self) -> list[tuple[bytes, str, int]]:
        held, self.held, self._bytes = self.held, [], 0
        return held


class _Following(NamedTuple):
    """Live messages are in `capture`, and all before them is below `position` of the log."""

    capture: _Capture
    position: int


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of the log that are sent: from the position `start`, by time and by seq.

    `first_seqs` counts within the topics that it names, `from_seq` within each. With `recent_ms`
    none is older. Those before `start` come only from the seqs in `again` on.
    """

    wants: Callable[[str], bool]
    start: int = 0
    since_ms: int = 0
    recent_ms: int | None = None
    from_seq: int = 0
    first_seqs: Mapping[str, int] = msgspec.field(default_factory=dict)
    again: Mapping[str, int] = msgspec.field(default_factory=dict)

    def wants_again(self, topic: str) -> bool:
        return topic in self.again and self.wants(topic)


class Stretch(NamedTuple):
    """A part of the log, in which what was sent from `since_ms` (Unix) on may be sent."""

    start: int
    end: int
    since_ms: int


def _coming(*first_seqs: Mapping[str, int]) -> Callable[[str], int | None]:
    """The lowest seq of a topic in any of these, as they are when it is asked for."""

    def coming(topic: str) -> int | None:
        found = [seqs[topic] for seqs in first_seqs if topic in seqs]
        return min(found, default=None)

    return coming


class Replays:
    def __init__(self, bus: InterApplicationBus, log: MessageLogReader) -> None:
        self._bus = bus
        self._log = log
        self._pieces = bus.pieces

    def mark(self) -> Mark:
        """This moment, for a client that may have to go on from it."""
        broker = self._bus.broker
        position = self._log.durable_position if self._log.available else UNSET
        return Mark(broker.epoch, broker.clock_ms(), position)

    async def go_on(
        self, identity: ClientId, params: ContinueParams, *, recent_ms: int | None = None
    ) -> ContinueResult:
        """Subscribes, sends what the log has, and tells what of other topics is gone.

        Messages older than `recent_ms` are told as gone, too. Raises `DeskbusError` (invalid_topic,
        invalid_params, overloaded).
        """
        pattern = params.pattern
        wants = self._wants(identity, pattern)
        behind = ClientProgress(params)
        self._check_owed(self._bus.member(identity), behind)
        for _ in behind.look():
            async with self._pieces.take(identity.app):
                pass
        # A mark may lie behind the last messages that the client has: those are before it.
        met = await self._met(identity.app, wants, 0, behind.known)
        wanted = Wanted(
            wants=wants,
            start=behind.start,
            since_ms=behind.since_ms,
            recent_ms=recent_ms,
            first_seqs=behind.first_seqs(met),
            again=behind.first_seqs_again,
        )
        removed = behind.removed(met) if behind.start < self._log_start else []
        withheld = await self._withheld(self._bus.member(identity), wanted, behind)
        connection = self._bus.member(identity).connection
        if connection is not None:
            await connection.writable()
        with ExitStack() as stack:
            async with self._bus.scans.take(identity.app):
                async with self._pieces.take(identity.app):
                    member = self._bus.member(identity)
                    connection = member.connection
                    mark = self.mark()
                    if connection is None:
                        return ContinueResult(messages=0, mark=mark)
                    self._check_owed(member, behind)
                    self._bus.subscribe(identity, pattern, params.mode, params.sources or ())
                    owed = self._owe(member, params, behind, recent_ms)
                    following = stack.enter_context(self._following(member, pattern, owed))
                    coming = _coming(member.window.first_seqs(), following.capture.first)
                for gap in (*removed, *withheld):
                    connection.put(notification("bus.gap", gap) + b"\n", None, 0)
                await self._tell_gaps(identity.app, connection, wants, behind, params, coming)
            begun = notification("bus.continued", ContinuedParams(pattern=pattern))
            connection.put(begun + b"\n", None, 0)
            if owed is not None:
                owed.send_again()
            sent = 0
            if self._log.available:
                sent = await self._bring(member, connection, wanted, following, owed)
        return ContinueResult(messages=sent, mark=mark)

    def _owe(
        self, member: Member, params: ContinueParams, behind: ClientProgress, recent_ms: int | None
    ) -> AcknowledgedCatchup | None:
        """The messages that go on to be owed, where the client is to acknowledge them."""
        if params.mode != "acknowledged":
            return None
        owed = AcknowledgedCatchup(
            member.window,
            self._wants(member.identity, params.pattern),
            behind,
            epoch=self._bus.broker.epoch,
            earlier=tuple(member.owed),
        )
        member.owed.append(owed)
        owed.release(partial(self._may_send, recent_ms))
        return owed

    async def _tell_gaps(
        self,
        app: str,
        connection: Connected,
        wants: Callable[[str], bool],
        behind: ClientProgress,
        params: ContinueParams,
        coming: Callable[[str], int | None],
    ) -> None:
        """Tells what is lost of topics that are not in the log."""
        from_log = self._log.persists
        gaps = restart_gaps(
            self._bus.broker,
            params.pattern,
            lambda topic: wants(topic) and not from_log(topic),
            mark=behind.mark,
            since_ms=params.since,
            seen=params.seen,
            coming=coming,
        )
        for found in gaps:
            for gap in found:
                connection.put(notification("bus.gap", gap) + b"\n", None, 0)
            async with self._pieces.take(app):
                pass

    @staticmethod
    def _check_owed(member: Member, behind: ClientProgress) -> None:
        """Raises `DeskbusError` (overloaded): what is owed is remembered until the session ends."""
        known = sum(len(each.behind.again) for each in member.owed)
        if len(member.owed) >= MAX_OWED or known + behind.unacknowledged > MAX_OWED_MESSAGES:
            raise DeskbusError(
                OVERLOADED,
                "This client has continued too many subscriptions in one session.",
                action="Open a new session, and acknowledge what comes.",
            )

    async def replay(self, identity: ClientId, params: ReplayParams) -> int:
        """Sends the log's messages and returns their number; then follows, if asked to.

        Waits for a reader that is slow. An acknowledged subscription to the pattern stays one.
        Raises `DeskbusError` (conflict where there is no log, or a replay is under way).
        """
        member = self._bus.member(identity)
        connection = member.connection
        if connection is None:
            return 0
        wanted = Wanted(
            wants=self._wants(identity, params.pattern),
            since_ms=params.since,
            from_seq=params.from_seq,
        )
        if not params.follow:
            return await self._send(identity.app, connection, wanted, 0, self._log.position)
        return await self._follow(member, connection, params.pattern, wanted)

    async def _follow(
        self, member: Member, connection: Connected, pattern: str, wanted: Wanted
    ) -> int:
        with self._following(member, pattern) as following:
            return await self._bring(member, connection, wanted, following)

    @contextmanager
    def _following(
        self, member: Member, pattern: str, owed: AcknowledgedCatchup | None = None
    ) -> Iterator["_Following"]:
        """Holds live messages of a pattern back for the length of a `with` block.

        Raises `DeskbusError` (conflict, overloaded).
        """
        before = member.client.subscriptions.get(pattern, member.live)
        if before.rank == Rank.REPLAY:
            raise DeskbusError(CONFLICT, "A replay of this pattern is under way.")
        self._bus.broker.check_room(member.client, pattern)
        # A window takes less; what it could not would be dead.
        capture = _Capture(MAX_CAPTURED_BYTES) if owed is None else _Capture(*WINDOW_LIMITS)
        reader = Reader(member.client, Rank.REPLAY, capture)
        # Publishes from here on are captured, and all before them is below this position.
        position = self._log.position if self._log.available else 0
        self._bus.broker.subscribe(member.client, pattern, reader)
        try:
            yield _Following(capture, position)
        finally:
            self._hand_over(member, pattern, reader, before, capture)

    async def _bring(
        self,
        member: Member,
        connection: Connected,
        wanted: Wanted,
        following: "_Following",
        owed: AcknowledgedCatchup | None = None,
    ) -> int:
        """Sends what the log has, until live messages can follow; returns their number."""
        capture, position = following
        sent, start = 0, 0
        while True:
            sent += await self._send(member.identity.app, connection, wanted, start, position, owed)
            if not capture.overflowed:
                return sent
            self._tell_lost(member, capture.reset())
            start, position = position, self._log.position

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

    async def _met(
        self, app: str, wants: Callable[[str], bool], start: int, known: Mapping[str, Last]
    ) -> dict[str, Origin]:
        """The first message that the log has of each known topic, from the known one on."""
        met: dict[str, Origin] = {}
        if not known or not self._log.available:
            return met
        query = LogQuery(
            wants=lambda topic: topic in known and wants(topic),
            from_seqs={topic: last.seq for topic, last in known.items()},
            from_position=start,
        )
        async for block in self._log.read(query):
            for lines in _parts(block):
                async with self._pieces.take(app):
                    for read in map(origin, lines):
                        met.setdefault(read.topic, read)
            if len(met) == len(known):
                break
        return met

    async def _withheld(
        self, member: Member, wanted: Wanted, behind: ClientProgress
    ) -> list[GapParams]:
        """The logged messages after the last that the client has seen, which may not be sent to it.

        Messages in its window are not among them.
        """
        if wanted.recent_ms is None or not self._log.available:
            return []
        waiting = member.window.all_seqs()
        ranges: dict[tuple[str, str], tuple[int, int]] = {}
        for stretch in self._stretches(wanted, wanted.start, self._log.position):
            query = LogQuery(
                wants=wanted.wants,
                from_ms=wanted.since_ms,
                to_ms=stretch.since_ms,
                from_seqs=wanted.first_seqs,
                from_position=stretch.start,
                to_position=stretch.end,
            )
            async for block in self._log.read(query):
                for lines in _parts(block):
                    async with self._pieces.take(member.identity.app):
                        for read in map(origin, lines):
                            if behind.is_new(read) and (read.topic, read.seq) not in waiting:
                                first, _ = ranges.get((read.topic, read.epoch), (read.seq, 0))
                                ranges[read.topic, read.epoch] = (first, read.seq)
        return [
            GapParams(topic=topic, epoch=epoch, first=first, last=last, reason="disconnected")
            for (topic, epoch), (first, last) in ranges.items()
        ]

    async def query(self, identity: ClientId, params: QueryParams) -> MessageList:
        """Raises `DeskbusError` (conflict) where there is no log."""
        found: list[Raw] = []
        size = 0
        query = LogQuery(
            wants=self._wants(identity, params.pattern),
            from_ms=params.since or 0,
            from_seq=params.from_seq,
            to_ms=None if isinstance(params.until, UnsetType) else params.until,
            limit=params.limit + 1,
        )
        async for block in self._log.read(query):
            for lines in _parts(block):
                async with self._pieces.take(identity.app):
                    for line in lines:
                        size += len(line)
                        if len(found) == params.limit or (found and size > MAX_ANSWER_BYTES):
                            return MessageList(messages=found, more=True)
                        found.append(envelope(line))
        return MessageList(messages=found)

    async def _send(
        self,
        app: str,
        connection: Connected,
        wanted: Wanted,
        start: int,
        until: int,
        owed: AcknowledgedCatchup | None = None,
    ) -> int:
        """Sends the logged messages between positions `start` and `until`; returns their number."""
        sent = 0
        edges = owed.edges if owed else []
        for stretch in self._stretches(wanted, start, until, edges):
            is_again = stretch.start < wanted.start
            query = LogQuery(
                wants=wanted.wants_again if is_again else wanted.wants,
                from_ms=stretch.since_ms,
                from_seq=wanted.from_seq,
                from_seqs=wanted.again if is_again else wanted.first_seqs,
                from_position=stretch.start,
                to_position=stretch.end,
            )
            async for block in self._log.read(query):
                await connection.writable()
                if owed is None:
                    connection.put_block(block)
                    sent += block.count(b"\n")
                    continue
                for lines in _parts(block):
                    async with self._pieces.take(app):
                        picked = owed.pick(lines, stretch.start)
                    sent += await owed.put(picked)
        if owed is not None:
            owed.finish()
        return sent

    def _stretches(
        self, wanted: Wanted, start: int, until: int, edges: Iterable[int] = ()
    ) -> list[Stretch]:
        """Parts of the log for each of which one rule holds, in order."""
        if not wanted.again:
            start = max(start, wanted.start)
        cuts = {wanted.start, self._log.found_position, *edges}
        places = [start, *sorted(cut for cut in cuts if start < cut < until), until]
        found = []
        for begin, end in pairwise(places):
            since_ms = wanted.since_ms
            if wanted.recent_ms is not None:
                since_ms = max(since_ms, self._log.since_ms(wanted.recent_ms, begin))
            if begin < end:
                found.append(Stretch(begin, end, since_ms))
        return found

    def _may_send(self, recent_ms: int | None, read: Origin) -> bool:
        """Whether a message of the log is young enough."""
        if not self._log.persists(read.topic):
            return False
        if recent_ms is None:
            return True
        is_of_this_run = read.epoch == self._bus.broker.epoch
        position = self._log.position if is_of_this_run else 0
        return read.timestamp >= self._log.since_ms(recent_ms, position)

    @property
    def _log_start(self) -> int:
        return self._log.first_position if self._log.available else 0

    def _wants(self, identity: ClientId, pattern: str) -> Callable[[str], bool]:
        may_read = self._bus.reads_of(identity)
        return lambda topic: matches(pattern, topic) and may_read(topic)

    def _tell_lost(self, member: Member, held: list[tuple[bytes, str, int]]) -> None:
        """Captured messages come from the log again, except those of topics that are not in it."""
        for _, topic, seq in held:
            if not self._log.persists(topic):
                member.lost_when_slow(topic, seq)
