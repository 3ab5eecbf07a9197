"""Outbox: frames that a link is yet to send.

Written once a loop turn, those of an app with very many links in several turns; while the peer
reads too slowly they wait here, bounded. A message may then be dropped, oldest first, and the drop
is told; a reply may not, so a link whose replies overflow is closed.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

import msgspec

from deskbus.observability.metrics.delivery_latency import DeliveryLatency
from deskbus.transport.frame_encoding import FrameEncoding
from deskbus.transport.traffic import TrafficCounts, TransportTraffic
from deskbus_protocol.wire.framing import encode_content_length, lines_of

MAX_QUEUED_BYTES = 64 * 1024 * 1024
MAX_QUEUED_FRAMES = 65_536
MAX_REPLIES_BYTES = 16 * 1024 * 1024
"""Of replies beyond that, while messages before them are still to make room."""

DROPPED_AT_ONCE = 16
"""Messages that give way at once to a frame, which may be as long as thousands of them."""


CONGESTED_BYTES = 1024 * 1024
"""More than one read can fan out to one link: the peer has not taken what came before."""


WRITING_S = 0.0005
"""Writing to links of one app in one turn of the loop; those of other apps come in between."""


class Writer(Protocol):
    """The part of an asyncio transport that an outbox needs."""

    def write(self, data: bytes) -> None: ...

    def get_write_buffer_size(self) -> int: ...

    def is_closing(self) -> bool: ...


def _closed_already() -> None:
    """Stands in for what would close a link."""


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A line that waits for a slow reader. Only one with a topic may be dropped."""

    line: bytes
    topic: str | None
    seq: int


Dropped = Callable[[str, int], None]
"""Is told the topic and the seq of each message that was dropped."""


class Flusher:
    """Writes every outbox that has something to say, once a loop turn, the apps in turn.

    Its links count what they carry in `traffic`, time their reads by `latency`, where given, and
    agree with their peers on what `encoding` allows.
    """

    def __init__(
        self,
        traffic: TrafficCounts | None = None,
        latency: DeliveryLatency | None = None,
        encoding: FrameEncoding | None = None,
    ) -> None:
        self.traffic = traffic or TrafficCounts()
        self.latency = latency
        self.encoding = encoding or FrameEncoding()
        self._dirty: dict[str, deque[Outbox]] = {}
        self._spent_s: dict[str, float] = {}
        """Writing to links of each app in this turn."""
        self._is_due = False
        self._congested: set[Outbox] = set()

    @property
    def congested(self) -> bool:
        """Whether a peer is behind, but not so far that it counts as slow."""
        self._congested = {outbox for outbox in self._congested if outbox.congested}
        return bool(self._congested)

    def mark(self, outbox: "Outbox") -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        dirty = self._dirty.get(outbox.app)
        if dirty is None:
            self._dirty[outbox.app] = deque((outbox,))
        else:
            dirty.append(outbox)

    def flush(self) -> None:
        """Writes as many as may be in this turn; the others follow in the next."""
        for app in list(self._dirty):
            dirty = self._dirty[app]
            began_s = perf_counter()
            until_s = began_s + WRITING_S - self._spent_s.get(app, 0.0)
            now_s = began_s
            while dirty and now_s < until_s:
                outbox = dirty.popleft()
                outbox.flush()
                if outbox.congested:
                    self._congested.add(outbox)
                now_s = perf_counter()
            self._spent_s[app] = self._spent_s.get(app, 0.0) + now_s - began_s
            if not dirty:
                del self._dirty[app]

    def _next_turn(self) -> None:
        self._is_due = False
        self._spent_s.clear()
        self.flush()
        if self._dirty:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._next_turn)


class Outbox:
    def __init__(
        self,
        flusher: Flusher,
        on_overflow: Callable[[], None],
        traffic: TransportTraffic | None = None,
    ) -> None:
        self._flusher = flusher
        self._traffic = traffic or TransportTraffic()
        self._on_overflow = on_overflow
        self._lines: list[bytes] = []
        self._sent_bytes = 0
        self._writer: Writer | None = None
        self._paused = False
        self._unpaused = asyncio.Event()
        self._unpaused.set()
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self.app = ""
        """The app whose links are written to in turn with this one; of strangers it is empty."""
        self.sent_bytes = 0
        self.sent_frames = 0
        self.writes = 0
        """Of all three, frames by writes is how many left together."""
        self.content_length = False
        self.on_dropped: Dropped | None = None
        self.on_drained: Callable[[], None] | None = None

    @property
    def slow(self) -> bool:
        """Whether the peer reads more slowly than it is written to."""
        return self._paused

    @property
    def congested(self) -> bool:
        if self._paused or self._writer is None:
            return False
        return self._writer.get_write_buffer_size() > CONGESTED_BYTES

    @property
    def waiting_frames(self) -> int:
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        return self._waiting_bytes

    def attach(self, writer: Writer) -> None:
        self._writer = writer
        self.flush()

    def send(self, frame: bytes) -> None:
        """Sends a frame that must arrive or end the link."""
        self.put(frame + b"\n", None, 0)
        self._sent_bytes += len(frame)
        if self._sent_bytes > CONGESTED_BYTES:
            # So that it shows within this turn already whether the peer reads its answers.
            self.flush()

    def put(self, line: bytes, topic: str | None, seq: int) -> None:
        """Sends a frame that ends in a newline; with a topic it may be dropped, and told."""
        if self._paused:
            self._wait(Waiting(line, topic, seq))
            return
        if not self._lines:
            self._flusher.mark(self)
        self._lines.append(line)

    def put_block(self, block: bytes) -> None:
        """Sends many lines at once; see `writable`."""
        if self.content_length or self._paused:
            for line in lines_of(block):
                self.put(line, None, 0)
        else:
            self.sent_frames += block.count(b"\n") - 1
            self.put(block, None, 0)

    async def writable(self) -> None:
        """Returns when the peer has taken enough of what was sent, or the link has closed."""
        await asyncio.sleep(0)
        await self._unpaused.wait()

    def flush(self) -> None:
        if self._writer is None or not self._lines:
            return
        lines, self._lines, self._sent_bytes = self._lines, [], 0
        if self._writer.is_closing():
            return
        if self.content_length:
            lines = [encode_content_length(line[:-1]) for line in lines]
        block = lines[0] if len(lines) == 1 else b"".join(lines)
        self.writes += 1
        self.sent_frames += len(lines)
        self.sent_bytes += len(block)
        self._traffic.sent_bytes += len(block)
        self._writer.write(block)

    def give_up(self) -> None:
        """Closes the link of a peer that is too far behind to be told what it lost."""
        self._on_overflow()

    def pause(self) -> None:
        self._paused = True
        self._unpaused.clear()

    def release(self) -> None:
        """Drops everything for a closed link, and wakes whoever waits for its reader."""
        self._paused = False
        self._unpaused.set()
        self._waiting.clear()
        self._waiting_bytes = 0
        self._on_overflow = _closed_already

    def resume(self) -> None:
        """Sends a peer that has caught up the notice of what was dropped, then what waited."""
        self._paused = False
        self._unpaused.set()
        waiting, self._waiting = self._waiting, deque()
        self._waiting_bytes = 0
        if self.on_drained:
            self.on_drained()
        for item in waiting:
            self.put(item.line, item.topic, item.seq)

    def withdraw(self, keeps: Callable[[bytes, str | None], bool]) -> None:
        """Drops what waits for a slow reader, unless `keeps(line, topic)`."""
        kept = deque(item for item in self._waiting if keeps(item.line, item.topic))
        self._waiting = kept
        self._waiting_bytes = sum(len(item.line) for item in kept)

    def _wait(self, item: Waiting) -> None:
        self._waiting.append(item)
        self._waiting_bytes += len(item.line)
        for _ in range(DROPPED_AT_ONCE):
            if not self._is_over:
                return
            if not self._drop(self._waiting.popleft()):
                return
        if not self._is_over:
            return
        if item.topic is not None:
            self._drop(self._waiting.pop())
        elif self._waiting_bytes > MAX_QUEUED_BYTES + MAX_REPLIES_BYTES:
            self._on_overflow()

    @property
    def _is_over(self) -> bool:
        return self._waiting_bytes > MAX_QUEUED_BYTES or len(self._waiting) > MAX_QUEUED_FRAMES

    def _drop(self, item: Waiting) -> bool:
        """False where it must not be dropped, so that the link is closed."""
        self._waiting_bytes -= len(item.line)
        if item.topic is None or self.on_dropped is None:
            self._on_overflow()
            return False
        self.on_dropped(item.topic, item.seq)
        return True
