"""A connection to NATS that is none, and the lines of a broker."""

from collections.abc import AsyncGenerator, Callable

import anyio
from msgspec import Raw

from deskbus.bus.broker import MessageBroker
from deskbus.bus.route import BusClient
from deskbus.contracts.log_query import LogQuery
from deskbus.federation.nats_port import Delivery, NatsPortError, StreamState
from deskbus_protocol.bus import MessageParams, PublishParams
from deskbus_protocol.envelope import ClientId
from tests.support.bus_access import OpenAccess

NOW_MS = 1_700_000_000_000


class FakeWire:
    """Keeps what it is given; `refuses` makes the next confirmation a failure."""

    def __init__(self, max_bytes: int = 1024 * 1024) -> None:
        self.closed = anyio.Event()
        self.max_bytes = max_bytes
        self.published: list[tuple[str, bytes]] = []
        self.stored_messages: list[tuple[str, bytes, str]] = []
        self.confirmations = 0
        self.last_seq = 100
        self.refuses = False
        self.consumed_after: int | None = None
        self.acknowledged_before = 0
        self.receipts: list[str] = []
        self.receivers: list[tuple[str, Callable[[str, bytes], None]]] = []
        self.changed = anyio.Event()

    async def publish(self, subject: str, data: bytes) -> None:
        self.published.append((subject, data))
        self._change()

    async def subscribe(self, subject: str, receive: Callable[[str, bytes], None]) -> None:
        self.receivers.append((subject, receive))

    async def open_stream(self) -> StreamState:
        return StreamState("s1", self.last_seq)

    async def store(self, subject: str, data: bytes, message_id: str) -> None:
        self.stored_messages.append((subject, data, message_id))

    async def stored(self) -> None:
        if self.refuses:
            raise NatsPortError("it is full")
        self.confirmations += 1
        self._change()

    async def acknowledged(self) -> int:
        return self.acknowledged_before

    async def consume(
        self, subject: str, after_seq: int, receive: Callable[[Delivery], None]
    ) -> None:
        self.consumed_after = after_seq
        self.deliver = receive
        self._change()

    async def acknowledge(self, receipt: str) -> None:
        self.receipts.append(receipt)
        self._change()

    async def close(self) -> None:
        self.closed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(20):
            while not condition():
                self.changed = anyio.Event()
                await self.changed.wait()

    def _change(self) -> None:
        self.changed.set()


class FakeLog:
    """Lines in memory, at once durable; a position is an index."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    @property
    def position(self) -> int:
        return len(self.lines)

    written_position = position

    def waits(self, topic: str) -> bool:
        return False

    def persists(self, topic: str) -> bool:
        return topic.startswith("orders.")

    def when_durable(self, callback: Callable[[bool], None]) -> None:
        callback(True)

    async def read(self, query: LogQuery) -> AsyncGenerator[bytes, None]:
        for line in self.lines[query.from_position : query.to_position]:
            yield line


class Desk:
    """A broker that makes the lines of one feed and of other machines."""

    def __init__(self) -> None:
        self._broker = MessageBroker("e1", OpenAccess(), clock_ms=lambda: NOW_MS)
        self._feed = BusClient(ClientId("feed", "main"), "e1")

    def line(
        self, topic: str, payload: bytes = b"1", *, reply_to: str | None = None, **options: object
    ) -> bytes:
        raw = Raw(payload)
        params = PublishParams(topic=topic, payload=raw, **options)  # type: ignore[arg-type]
        return self._broker.publish(self._feed, topic, raw, params, reply_to).history[-1]

    def foreign_line(self, topic: str, origin: str = "desk-b", message_id: str = "e0.1.1") -> bytes:
        message = MessageParams(
            id=message_id,
            topic=topic,
            sender=ClientId("feed", "main"),
            payload=Raw(b"1"),
            timestamp=NOW_MS,
            epoch="e0",
            seq=1,
            correlation_id="e0.1.1",
            origin=origin,
        )
        return self._broker.admit(self._feed, message).history[-1]
