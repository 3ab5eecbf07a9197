"""Messages from other machines: checked, and admitted once."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import anyio
import msgspec
import structlog

from deskbus.federation.federated_message import is_foreign, key_of, unpack
from deskbus.federation.nats_port import Delivery, NatsPort, NatsPortError, StreamState
from deskbus.federation.nats_subjects import (
    LIVE,
    PERSISTED,
    Kind,
    address_of,
    brings,
    filters_of,
    widest,
)
from deskbus_protocol.bus import MessageParams
from deskbus_protocol.errors import DeskbusError
from deskbus_protocol.topics import matches

REMEMBERED_KEYS = 50_000
"""Messages that are recognized when they come again; more than can be under way at once."""

log = structlog.get_logger()

Admit = Callable[[MessageParams], bool]
"""Delivers a message on our own bus; raises `DeskbusError` for one that can't be.

Returns whether it waits in memory to be encrypted.
"""


class Arrivals:
    """Applies our access control to arrivals, and drops our own messages so that none loops."""

    def __init__(
        self,
        name: str,
        prefix: str,
        patterns: Sequence[str],
        *,
        admit: Admit,
        is_sound: Callable[[bytes], bool],
        clock_ms: Callable[[], int],
    ) -> None:
        """`is_sound` says whether our links could carry a message of these bytes."""
        self.taken = 0
        self.refused = 0
        self.sensitive: set[str] = set()
        """Topics whose messages had to wait in our memory when they came."""

        self._name = name
        self._prefix = prefix
        self._patterns = patterns
        self._admit = admit
        self._is_sound = is_sound
        self._clock_ms = clock_ms
        self._keys: dict[str, None] = {}
        self._expected: set[str] = set()

    def filters(self, kind: Kind) -> list[str]:
        """The NATS subscriptions for what is received here, each once."""
        found = (filters_of(self._prefix, kind, pattern) for pattern in self._patterns)
        return list(dict.fromkeys(each for filters in found for each in filters))

    def expect(self, key: str) -> None:
        """Marks a message as already in our log although it may be delivered again."""
        self._remember(key)
        self._expected.add(key)

    @property
    def caught_up(self) -> bool:
        """Whether no message that is already in our log can still be delivered."""
        return not self._expected

    def receive(self, kind: Kind, subject: str, data: bytes) -> None:
        """Takes a message in, unless it is our own, expired, a duplicate, or malformed."""
        try:
            address = address_of(self._prefix, subject)
            if address.origin == self._name:
                return
            message = self._checked(unpack(data), data)
            if address != (kind, message.origin, message.topic):
                raise ValueError("another message than its subject says")
            if not any(matches(pattern, message.topic) for pattern in self._patterns):
                return
            if kind == PERSISTED and not self._is_new(message):
                return
            fresh = self._aged(message)
            if fresh is not None:
                if self._admit(fresh):
                    self.sensitive.add(fresh.topic)
                self.taken += 1
        except (ValueError, DeskbusError) as error:
            self.refused += 1
            if self.refused.bit_count() == 1:
                log.warning("federation.refused", reason=str(error), count=self.refused)

    def _checked(self, message: MessageParams, data: bytes) -> MessageParams:
        if not self._is_sound(data):
            raise ValueError("too large, or nested too deep")
        return message

    def _is_new(self, message: MessageParams) -> bool:
        key = f"{message.origin}:{message.id}"
        if key in self._keys:
            self._expected.discard(key)
            return False
        # The stream is in order: what comes after something new was not there before either.
        self._expected.clear()
        self._remember(key)
        return True

    def _remember(self, key: str) -> None:
        self._keys[key] = None
        if len(self._keys) > REMEMBERED_KEYS:
            del self._keys[next(iter(self._keys))]

    def _aged(self, message: MessageParams) -> MessageParams | None:
        """The message with the time taken off that it has been under way; None if that is all."""
        if not isinstance(message.ttl, int):
            return message
        left_ms = message.ttl - max(self._clock_ms() - message.timestamp, 0)
        return msgspec.structs.replace(message, ttl=left_ms) if left_ms > 0 else None


class LiveIncoming:
    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._filters = arrivals.filters(LIVE)

    async def start(self, wire: NatsPort) -> None:
        """Raises `NatsPortError`."""
        for number, nats_filter in enumerate(self._filters):
            await wire.subscribe(nats_filter, self._receiver(self._filters[:number]))

    def _receiver(self, earlier: list[str]) -> Callable[[str, bytes], None]:
        """Handles the first copy of a message only: NATS delivers one for each filter that fits."""

        def receive(subject: str, data: bytes) -> None:
            if not any(brings(other, subject) for other in earlier):
                self._arrivals.receive(LIVE, subject, data)

        return receive


class StreamIncoming:
    """Messages of persisted topics, out of JetStream: in order, none lost, none twice.

    `taken` is the last message of the stream that is on our bus, `receipt` where to acknowledge it.
    """

    def __init__(self, arrivals: Arrivals, on_moved: Callable[[], None]) -> None:
        self.stream = ""
        self.taken = 0
        self.receipt = ""
        self._arrivals = arrivals
        self._on_moved = on_moved
        self._next_number = 1
        self._missed = anyio.Event()
        filters = arrivals.filters(PERSISTED)
        self._filter = widest(filters) if filters else None

    async def start(self, wire: NatsPort, state: StreamState) -> None:
        """Begins to receive messages; raises `NatsPortError`."""
        if self._filter is None:
            return
        if state.identity != self.stream:
            self.stream, self.taken = state.identity, await wire.acknowledged()
        self.taken = min(self.taken, state.last_seq)
        self.receipt = ""
        self._next_number = 1
        self._missed = anyio.Event()
        await wire.consume(self._filter, self.taken, self._receive)

    async def run(self) -> None:
        """Runs until cancelled; raises `NatsPortError` where deliveries were missed."""
        await self._missed.wait()
        raise NatsPortError("messages got lost on the way and are fetched again")

    def _receive(self, delivery: Delivery) -> None:
        if delivery.number != self._next_number:
            self._missed.set()
            return
        self._next_number += 1
        if delivery.seq > self.taken:
            self._arrivals.receive(PERSISTED, delivery.subject, delivery.data)
            self.taken = delivery.seq
        self.receipt = delivery.receipt
        self._on_moved()


async def expect_from(blocks: AsyncGenerator[bytes, None], arrivals: Arrivals) -> None:
    """Recognizes from now on the remote messages that are in these blocks of our log."""
    async with aclosing(blocks):
        async for block in blocks:
            for line in block.split(b"\n")[:-1]:
                key = key_of(line + b"\n") if is_foreign(line) else None
                if key is not None:
                    arrivals.expect(key)
