"""A backend's bus and log in memory, and the lines on which clients are reached."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import anyio
import msgspec
from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.recovery.replay import Replays
from deskbus.bus.service import InterApplicationBus
from deskbus.contracts.log_query import LogQuery
from deskbus_protocol.bus import ContinueParams, SubscribeResult
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import TICKET_REFUSED, DeskbusError
from deskbus_protocol.session import OpenResult
from tests.support.bus_access import OpenAccess

FEED = ClientId("feed", "main")
BLOCK = 3


class MemoryLog:
    """Messages on the disk outlive a kill; `between` is called between two blocks of a reading."""

    available = True

    def __init__(self) -> None:
        self.entries: list[tuple[str, int, int, bytes]] = []
        self.on_disk = 0
        self.between: Callable[[], None] = lambda: None
        self.now_ms: Callable[[], int] = lambda: 0

    @property
    def position(self) -> int:
        return len(self.entries)

    def is_sensitive(self, topic: str) -> bool:
        return False

    def admit(self, topic: str, *, remote: bool = False) -> bool:
        return False

    def persists(self, topic: str) -> bool:
        return topic.startswith("kept.")

    def last_seq(self, topic: str) -> int:
        return max((seq for name, seq, _, _ in self.entries if name == topic), default=0)

    @property
    def first_position(self) -> int:
        return 0

    @property
    def durable_position(self) -> int:
        return min(self.on_disk, self.position)

    @property
    def found_position(self) -> int:
        return 0

    def since_ms(self, ago_ms: int, position: int) -> int:
        return self.now_ms() - ago_ms

    def extend(self, topic: str, first_seq: int, timestamp_ms: int, lines: Sequence[bytes]) -> None:
        for seq, line in enumerate(lines, first_seq):
            self.append(topic, seq, timestamp_ms, line)

    def append(self, topic: str, seq: int, timestamp_ms: int, line: bytes) -> None:
        self.entries.append((topic, seq, timestamp_ms, line))

    async def read(self, query: LogQuery) -> AsyncIterator[bytes]:
        wanted = [
            line
            for topic, seq, at_ms, line in self.entries[query.from_position : query.to_position]
            if (query.wants is None or query.wants(topic))
            and at_ms >= (query.from_ms or 0)
            and seq >= max(query.from_seq, query.from_seqs.get(topic, 0))
            and (query.to_ms is None or at_ms < query.to_ms)
        ]
        for start in range(0, len(wanted), BLOCK):
            yield b"".join(wanted[start : start + BLOCK])
            self.between()


class MemoryLine:
    """A connection as the bus writes to it; what lies in `frames` has not arrived yet."""

    slow = False

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.on_dropped: Callable[[str, int], None] | None = None
        self.on_drained: Callable[[], None] | None = None

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        self.frames.append(line)

    def put_block(self, block: bytes) -> None:
        self.frames += block.splitlines(keepends=True)

    def give_up(self) -> None:
        raise AssertionError("nobody is slow here")

    def withdraw(self, keeps: Callable[[bytes, str | None], bool]) -> None:
        raise AssertionError("no permission changes here")

    async def writable(self) -> None:
        await anyio.lowlevel.checkpoint()


class BusRun:
    """One run of the backend, over the log that it found."""

    def __init__(self, number: int, log: MemoryLog, clock_ms: Callable[[], int]) -> None:
        self.epoch = f"e{number:03}"
        self.log = log
        log.now_ms = clock_ms
        self.bus = InterApplicationBus(
            MessageBroker(self.epoch, OpenAccess(), log, clock_ms=clock_ms),
            OpenAccess(),
            on_gone=lambda _: None,
            awake_ms=clock_ms,
        )
        self.replays = Replays(self.bus, log)
        self._tokens: dict[str, ClientId] = {}
        self.bus.attach(FEED, MemoryLine(), resume=False)

    def publish(self, topic: str) -> tuple[str, str, int]:
        """The message's topic, epoch and seq."""
        feed = self.bus.member(FEED).client
        stamped = self.bus.broker.publish(feed, topic, Raw(b"1"))
        return topic, self.epoch, stamped.seq

    async def serve(self, who: ClientId, line: MemoryLine, method: str, params: Any) -> object:
        if method == "session.resume":
            if self._tokens.pop(params["resumeToken"], None) != who or not self.bus.knows(who):
                raise DeskbusError(TICKET_REFUSED)
            return self._attach(who, line, params)
        if method == "session.open":
            return self._attach(who, line, params)
        if method == "bus.subscribe":
            self.bus.subscribe(who, params["pattern"], params["mode"])
            return SubscribeResult(mark=self.replays.mark())
        assert method == "bus.continue"
        return await self.replays.go_on(
            who, msgspec.convert(msgspec.to_builtins(params), ContinueParams)
        )

    def _attach(self, who: ClientId, line: MemoryLine, params: Any) -> OpenResult:
        catchup = self.bus.catchup(who, params["lastSeqs"])
        resumed = self.bus.attach(who, line, resume=True, catchup=catchup)
        token = f"{self.epoch} {len(self._tokens)} {who.app}"
        self._tokens = {known: owner for known, owner in self._tokens.items() if owner != who}
        self._tokens[token] = who
        return OpenResult(
            app=who.app,
            client=who.client,
            epoch=self.epoch,
            protocol_version="1.0",
            version="1",
            resumed=resumed,
            resume_token=token,
        )
