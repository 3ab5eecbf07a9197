"""Replay becomes live delivery without gap or repeat, however publishing and reading interleave."""

import json
from collections.abc import AsyncIterator, Callable, Sequence

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.recovery import replay as replay_module
from deskbus.bus.recovery.replay import Replays
from deskbus.bus.service import InterApplicationBus
from deskbus.contracts.log_query import LogQuery
from deskbus_protocol.bus import Mode
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.history import ReplayParams
from tests.support.bus_access import OpenAccess
from tests.unit.bus.test_service_histories import Line

READER = ClientId("reader", "main")
COUNTS = st.integers(0, 12)


class Block(Line):
    """A connection that takes blocks too."""

    def put_block(self, block: bytes) -> None:
        for line in block.splitlines(keepends=True):
            self.put(line, None, 0)

    async def writable(self) -> None:
        await anyio.lowlevel.checkpoint()


class Log:
    """The log as a list; between two blocks that are read, somebody publishes."""

    available = True

    def __init__(self, block: int) -> None:
        self.lines: list[tuple[str, bytes]] = []
        self.between: Callable[[], None] = lambda: None
        self._block = block

    @property
    def position(self) -> int:
        return len(self.lines)

    first_position = found_position = durable_position = 0

    def since_ms(self, ago_ms: int, position: int) -> int:
        return 0

    def extend(self, topic: str, first_seq: int, timestamp_ms: int, lines: Sequence[bytes]) -> None:
        for seq, line in enumerate(lines, first_seq):
            self.append(topic, seq, timestamp_ms, line)

    def append(self, topic: str, seq: int, timestamp_ms: int, line: bytes) -> None:
        self.lines.append((topic, line))

    def is_sensitive(self, topic: str) -> bool:
        return False

    def admit(self, topic: str, *, remote: bool = False) -> bool:
        return False

    def persists(self, topic: str) -> bool:
        return topic != "t.fleeting"

    def last_seq(self, topic: str) -> int:
        return 0

    async def read(self, query: LogQuery) -> AsyncIterator[bytes]:
        until = query.to_position or 0
        assert query.wants is not None
        for start in range(query.from_position, until, self._block):
            lines = self.lines[start : min(start + self._block, until)]
            yield b"".join(line for topic, line in lines if query.wants(topic))
            self.between()


@pytest.mark.requirement("2.2")
@given(
    before=COUNTS,
    during=st.lists(COUNTS, max_size=8),
    after=COUNTS,
    block=st.integers(1, 5),
    captured=st.sampled_from([300, 3000, 10**9]),
    mode=st.sampled_from(["none", "live", "acknowledged"]),
)
def test_every_message_comes_once_and_in_order(
    before: int, during: list[int], after: int, block: int, captured: int, mode: str
) -> None:
    log = Log(block)
    bus = InterApplicationBus(
        MessageBroker("e1", OpenAccess(), log, clock_ms=lambda: 0),
        OpenAccess(),
        on_gone=lambda _: None,
        awake_ms=lambda: 0,
    )
    bus.attach(ClientId("writer", "main"), Block(), resume=False)
    writer = bus.member(ClientId("writer", "main")).client
    line = Block()

    def publish(count: int) -> None:
        for _ in range(count):
            for topic in ("t.kept", "other"):
                bus.broker.publish(writer, topic, Raw(b"1"))

    async def run() -> int:
        publish(before)
        bus.attach(READER, line, resume=False)
        if mode != "none":
            kind: Mode = "acknowledged" if mode == "acknowledged" else "live"
            bus.subscribe(READER, "t.#", kind)
        waiting = iter(during)
        log.between = lambda: publish(next(waiting, 0))
        replays = Replays(bus, log)
        return await replays.replay(READER, ReplayParams(pattern="t.#", follow=True))

    whole, replay_module.MAX_CAPTURED_BYTES = replay_module.MAX_CAPTURED_BYTES, captured
    try:
        sent = anyio.run(run)
    finally:
        replay_module.MAX_CAPTURED_BYTES = whole
    publish(after)
    seqs = [message["seq"] for message in line.got if message["topic"] == "t.kept"]
    assert seqs == list(range(1, bus.broker.topics.find_or_make("t.kept", "feed").seq + 1))
    assert sent <= len(seqs)
    assert json.dumps(line.gaps) == "[]"
