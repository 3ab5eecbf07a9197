"""Messages to other machines: live ones as they come, persisted ones out of the log."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import aclosing

import anyio
import anyio.lowlevel
import structlog

from deskbus.contracts.log_query import LogQuery
from deskbus.contracts.message_log import FederatedLog
from deskbus.federation.federated_message import FederatedMessage, is_foreign, pack
from deskbus.federation.nats_port import NatsPort
from deskbus.federation.nats_subjects import LIVE, PERSISTED, subject_of
from deskbus_protocol.topics import matches

MAX_QUEUED = 65_536
MAX_QUEUED_BYTES = 64 * 1024 * 1024
"""Live messages that the connection has not taken yet; beyond, the oldest are dropped."""


YIELD_EVERY = 64
"""Messages sent in a row before other tasks get a turn."""


LOOK_AGAIN_S = 1.0
"""How late the log is looked at where there was no call for it, only remote messages."""


SEND_AT_ONCE = 1000
"""Positions of the log that are sent before JetStream's confirmations are waited for."""


log = structlog.get_logger()


class OutgoingSubjects:
    """The common part of both outgoing paths: our name, the subjects, and the counts."""

    def __init__(self, name: str, prefix: str) -> None:
        self.name = name
        self.sent = 0
        self.dropped = 0
        self._prefix = prefix

    def live_subject(self, message: FederatedMessage) -> str:
        return subject_of(self._prefix, LIVE, self.name, message.topic)

    def persisted_subject(self, message: FederatedMessage) -> str:
        return subject_of(self._prefix, PERSISTED, self.name, message.topic)

    def fits(self, message: FederatedMessage, wire: NatsPort) -> bool:
        """Whether the server takes so large a message; if not, it is dropped and counted."""
        if len(message.data) <= wire.max_bytes:
            return True
        self.dropped += 1
        log.warning("federation.too_large", topic=message.topic, limit_bytes=wire.max_bytes)
        return False


class LiveOutgoing:
    """Messages of topics that are not persisted: at most once, none while there is no server."""

    def __init__(self, sender: OutgoingSubjects) -> None:
        self._sender = sender
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._open = False
        self._more = anyio.Event()

    def put(self, line: bytes) -> None:
        if is_foreign(line):
            return
        if not self._open:
            self._sender.dropped += 1
            return
        self._queue.append(line)
        self._queued_bytes += len(line)
        while len(self._queue) > MAX_QUEUED or self._queued_bytes > MAX_QUEUED_BYTES:
            self._next()
            self._sender.dropped += 1
        self._more.set()

    async def run(self, wire: NatsPort) -> None:
        """Sends until cancelled; raises `WireError`."""
        self._open = True
        try:
            while True:
                self._more = anyio.Event()
                await self._send_queued(wire)
                await self._more.wait()
        finally:
            self._open = False
            self._sender.dropped += len(self._queue)
            self._queue.clear()
            self._queued_bytes = 0

    async def _send_queued(self, wire: NatsPort) -> None:
        in_a_row = 0
        while self._queue:
            message = pack(self._next(), self._sender.name)
            if message is not None and self._sender.fits(message, wire):
                await wire.publish(self._sender.live_subject(message), message.data)
                self._sender.sent += 1
            in_a_row += 1
            if in_a_row % YIELD_EVERY == 0:
                await anyio.lowlevel.checkpoint()

    def _next(self) -> bytes:
        line = self._queue.popleft()
        self._queued_bytes -= len(line)
        return line


class LogOutgoing:
    """Messages of persisted topics, from the log: at least once, in order.

    `position` is up to where JetStream has confirmed them.
    """

    def __init__(
        self,
        sender: OutgoingSubjects,
        messages: FederatedLog,
        patterns: Sequence[str],
        on_moved: Callable[[], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.position = 0
        self._sender = sender
        self._log = messages
        self._patterns = patterns
        self._on_moved = on_moved
        self._clock_s = clock_s
        self._behind_since_s: float | None = None
        self._more = anyio.Event()

    @property
    def lag_s(self) -> float:
        """Seconds for which the oldest message that JetStream has not confirmed has waited; 0 for
        none.

        After a start it counts from there.
        """
        since = self._behind_since_s
        return 0.0 if since is None else self._clock_s() - since

    def put(self, line: bytes) -> None:
        """A message that goes into the log, from where it is sent soon."""
        if not is_foreign(line):
            self._fall_behind()
            self._more.set()

    def _fall_behind(self) -> None:
        if self._behind_since_s is None:
            self._behind_since_s = self._clock_s()

    async def run(self, wire: NatsPort) -> None:
        """Sends until cancelled; raises `WireError`. Goes on later where it was."""
        while True:
            self._more = anyio.Event()
            # A disk that fails for long may cost the log messages that were counted before.
            self.position = min(self.position, self._log.position)
            end = min(self._log.position, self.position + SEND_AT_ONCE)
            if self.position == end:
                self._behind_since_s = None
                with anyio.move_on_after(LOOK_AGAIN_S):
                    await self._more.wait()
                continue
            self._fall_behind()
            looked_s, is_all = self._clock_s(), end == self._log.position
            await self._send(wire, self.position, end)
            self.position = end
            if is_all:
                self._behind_since_s = looked_s
            self._on_moved()

    async def _send(self, wire: NatsPort, start: int, end: int) -> None:
        given = 0
        query = LogQuery(wants=self._wants, from_position=start, to_position=end)
        blocks = self._log.read(query)
        async with aclosing(blocks):
            async for block in blocks:
                for line in block.split(b"\n")[:-1]:
                    message = pack(line + b"\n", self._sender.name)
                    if message is not None and self._sender.fits(message, wire):
                        subject = self._sender.persisted_subject(message)
                        await wire.store(subject, message.data, message.key)
                        given += 1
        if given:
            await wire.stored()
            self._sender.sent += given

    def _wants(self, topic: str) -> bool:
        return any(matches(pattern, topic) for pattern in self._patterns)
