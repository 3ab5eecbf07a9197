"""The connection to NATS, through nats-py: the only module that knows it."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api

from deskbus.config import FederationConfig
from deskbus.federation.credentials import Reveal, login
from deskbus.federation.nats_port import Delivery, NatsPortError, StreamState
from deskbus.federation.nats_subjects import ANY, PERSISTED, REST
from deskbus.federation.pending_acks import PendingAcks

CONNECT_WITHIN_S = 3
ANSWER_WITHIN_S = 5.0
STORE_WITHIN_S = 10.0
PING_EVERY_S = 5
MAX_SILENT_PINGS = 2

MAX_UNACKNOWLEDGED = 10_000
"""Messages of the stream that are under way to our disk at once."""

REDELIVER_AFTER_S = 30.0
_DAY_S = 24 * 3600.0

log = structlog.get_logger()


class NatsWire:
    def __init__(self, config: FederationConfig) -> None:
        self.closed = anyio.Event()
        self._config = config
        self._stream = config.prefix
        self._client = Client()
        self._acks = PendingAcks()
        self._ack_inbox = ""
        self._everything = f"{config.prefix}.{PERSISTED}.{ANY}.{REST}"
        self._last_error: Exception | None = None

    @property
    def max_bytes(self) -> int:
        return self._client.max_payload

    async def open(self, options: dict[str, object]) -> None:
        try:
            await self._client.connect(
                servers=self._config.servers,
                name=f"deskbus {self._config.name}",
                # The federation connects anew by itself, so that a connection is all or nothing.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=CONNECT_WITHIN_S,
                ping_interval=PING_EVERY_S,
                max_outstanding_pings=MAX_SILENT_PINGS,
                no_echo=True,
                error_cb=self._on_error,
                closed_cb=self._on_closed,
                **options,  # type: ignore[arg-type]
            )
        except (OSError, TimeoutError, nats.errors.Error) as error:
            cause = self._last_error if isinstance(error, nats.errors.NoServersError) else error
            log.debug("federation.not_connected", reason=str(cause))
            raise NatsPortError(_reason(cause)) from error

    async def publish(self, subject: str, data: bytes) -> None:
        async with self._errors_of_nats():
            await self._client.publish(subject, data)

    async def subscribe(self, subject: str, receive: Callable[[str, bytes], None]) -> None:
        async def on_message(message: Msg) -> None:
            receive(message.subject, message.data)

        async with self._errors_of_nats():
            await self._client.subscribe(subject, cb=on_message)

    async def open_stream(self) -> StreamState:
        wanted = self._config.stream
        async with self._errors_of_nats():
            manager = self._client.jsm(timeout=ANSWER_WITHIN_S)
            try:
                found = await manager.stream_info(self._stream)
            except nats.js.errors.NotFoundError:
                found = await manager.add_stream(
                    api.StreamConfig(
                        name=self._stream,
                        subjects=[f"{self._config.prefix}.{PERSISTED}.>"],
                        storage=api.StorageType.FILE,
                        max_age=wanted.max_age_days * _DAY_S,
                        max_bytes=wanted.max_bytes,
                        num_replicas=wanted.replicas,
                        duplicate_window=wanted.duplicate_window_s,
                    )
                )
            self._acks = PendingAcks()
            if not self._ack_inbox:
                self._ack_inbox = self._client.new_inbox()
                await self._client.subscribe(f"{self._ack_inbox}.*", cb=self._on_stored)
        return StreamState(str(found.created), found.state.last_seq)

    async def store(self, subject: str, data: bytes, message_id: str) -> None:
        reply = f"{self._ack_inbox}.{self._acks.expect()}"
        headers = {api.Header.MSG_ID.value: message_id}
        async with self._errors_of_nats():
            await self._client.publish(subject, data, reply=reply, headers=headers)

    async def stored(self) -> None:
        await self._acks.all(STORE_WITHIN_S)

    async def acknowledged(self) -> int:
        async with self._errors_of_nats():
            manager = self._client.jsm(timeout=ANSWER_WITHIN_S)
            try:
                found = await manager.consumer_info(self._stream, self._config.name)
            except nats.js.errors.NotFoundError:
                return 0
            return found.ack_floor.stream_seq if found.ack_floor else 0

    async def consume(
        self, subject: str, after_seq: int, receive: Callable[[Delivery], None]
    ) -> None:
        """Makes the consumer anew each time: an old one would resend messages that were in transit
        only after a while, and so out of order.
        """

        async def on_message(message: Msg) -> None:
            # $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<deliveries>.<seq>.<number>…
            tokens = message.reply.split(".")
            if len(tokens) >= 9:
                at = 5 if len(tokens) == 9 else 7
                receive(
                    Delivery(
                        message.subject,
                        message.data,
                        int(tokens[at]),
                        int(tokens[at + 1]),
                        message.reply,
                    )
                )

        async with self._errors_of_nats():
            manager = self._client.jsm(timeout=ANSWER_WITHIN_S)
            try:
                await manager.delete_consumer(self._stream, self._config.name)
            except nats.js.errors.NotFoundError:
                pass
            inbox = self._client.new_inbox()
            await self._client.subscribe(inbox, cb=on_message)
            await manager.add_consumer(
                self._stream,
                api.ConsumerConfig(
                    durable_name=self._config.name,
                    deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                    opt_start_seq=after_seq + 1,
                    ack_policy=api.AckPolicy.ALL,
                    ack_wait=REDELIVER_AFTER_S,
                    max_ack_pending=MAX_UNACKNOWLEDGED,
                    # nats-server 2.9 may count a filter's messages anew for each that it sends.
                    filter_subject=None if subject == self._everything else subject,
                    deliver_subject=inbox,
                ),
            )

    async def acknowledge(self, receipt: str) -> None:
        await self.publish(receipt, b"+ACK")

    async def close(self) -> None:
        await self._client.close()

    @asynccontextmanager
    async def _errors_of_nats(self) -> AsyncIterator[None]:
        """nats-py's errors as ours."""
        try:
            yield
        except (OSError, TimeoutError, nats.errors.Error) as error:
            raise NatsPortError(_reason(error)) from error

    async def _on_stored(self, message: Msg) -> None:
        self._acks.settle(message.subject.rpartition(".")[2], message.data)

    async def _on_error(self, error: Exception) -> None:
        self._last_error = error
        log.debug("federation.nats_error", reason=str(error))

    async def _on_closed(self) -> None:
        self.closed.set()


async def connect(config: FederationConfig, folder: Path, reveal: Reveal) -> NatsWire:
    """Connects to one of the servers; raises `NatsPortError`. Files are taken from `folder`."""
    options = await login(config, folder, reveal)
    wire = NatsWire(config)
    try:
        await wire.open(options)
    except BaseException:  # raised again; a cancelled attempt leaves no socket either
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await wire.close()
        raise
    return wire


def _reason(error: Exception | None) -> str:
    """Words for anybody; addresses and the like are for the log."""
    if isinstance(error, nats.js.errors.APIError) and error.description:
        return str(error.description)
    if "authorization" in str(error).lower():
        return "the server refused the credentials"
    known: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
        ((nats.errors.NoRespondersError, nats.js.errors.Error), "it is not available"),
        (ssl.SSLError, "TLS could not be agreed on"),
        ((TimeoutError, nats.errors.TimeoutError), "the server does not answer"),
        (OSError, "no server can be reached"),
    )
    for kind, words in known:
        if isinstance(error, kind):
            return words
    return "the connection failed"
