"""The connection to NATS as the federation uses it."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import anyio


class NatsPortError(Exception):
    """The server is not there, or does not do what is asked; the message is fit for anybody."""


class StreamState(NamedTuple):
    """`identity` is another one when a stream was made anew; `last_seq` is its last message's."""

    identity: str
    last_seq: int


class Delivery(NamedTuple):
    """A message out of a stream: its place there, and which delivery of this consumer it is.

    `receipt` is where it can be acknowledged, with all before it.
    """

    subject: str
    data: bytes
    seq: int
    number: int
    receipt: str


class NatsPort(Protocol):
    """One connection. Every method raises `NatsPortError`."""

    @property
    def closed(self) -> anyio.Event: ...

    @property
    def max_bytes(self) -> int:
        """The server's limit for one message."""

    async def publish(self, subject: str, data: bytes) -> None:
        """At most once; waits only while the connection takes no more."""

    async def subscribe(self, subject: str, receive: Callable[[str, bytes], None]) -> None:
        """Has `receive` called with each message's own subject and data."""

    async def open_stream(self) -> StreamState:
        """Makes the stream of persisted topics if there is none."""

    async def store(self, subject: str, data: bytes, message_id: str) -> None:
        """Gives a message to the stream, which keeps it once for each `message_id`."""

    async def stored(self) -> None:
        """Returns when the stream has confirmed everything given to it."""

    async def acknowledged(self) -> int:
        """Up to which message of the stream this machine has acknowledged; 0 if unknown."""

    async def consume(
        self, subject: str, after_seq: int, receive: Callable[[Delivery], None]
    ) -> None:
        """Has `receive` called with each message of the stream after `after_seq`, in order."""

    async def acknowledge(self, receipt: str) -> None: ...

    async def close(self) -> None: ...
