"""Federation: joins it to the broker and the log, where the configuration asks for it."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from msgspec import UnsetType

from deskbus.bus.broker import MessageBroker
from deskbus.bus.client import BusClient, Rank, Reader
from deskbus.config import ConfigError, Settings
from deskbus.persistence.topiclog import TopicLog
from deskbus.rpc.connection import Call
from deskbus.rpc.dispatch import Handler
from deskbus_protocol.envelope import Sender
from deskbus_protocol.errors import UNAVAILABLE, DeskbusError
from deskbus_protocol.federation import FederationResult
from deskbus_protocol.framing import MAX_FRAME_BYTES
from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.jsontext import MAX_DEPTH, is_too_deep
from deskbus_protocol.method import NoParams

if TYPE_CHECKING:
    from deskbus.federation.federation import Federation
    from deskbus.federation.wire import Wire

FEDERATION_APP = "deskbus.federation"
"""As whom other machines read and write here: trusted, since `send` and `receive` decide."""

MAX_ENVELOPE_BYTES = MAX_FRAME_BYTES - 1024
"""Leaves room for our own stamps."""


def join_federation(
    settings: Settings,
    broker: MessageBroker,
    log: TopicLog,
    reveal: Callable[[str], Awaitable[str]],
    trust: Callable[[Sender], None],
) -> "Federation | None":
    """None without `[federation]`; raises `ConfigError` where its client is not installed.

    `reveal` tells what a credential stands for that names a secret of the vault; `trust` is told
    the client that reads and writes here for other machines.
    """
    config = settings.config.federation
    if isinstance(config, UnsetType):
        return None
    if find_spec("nats") is None:
        raise ConfigError("[federation] needs the client of NATS: pip install 'deskbus[nats]'")
    # Here, so that a backend without federation starts without it.
    from deskbus.federation.federation import Federation

    identity = Sender(FEDERATION_APP, config.name)
    trust(identity)
    client = BusClient(identity, broker.epoch)

    async def connect() -> "Wire":
        # Imported at the first attempt: nothing else waits for it.
        from deskbus.federation import connection

        return await connection.connect(config, settings.folder, reveal)

    federation = Federation(
        config,
        folder=settings.data_dir,
        messages=log if settings.config.persistence.enabled else None,
        connect=connect,
        take_in=lambda message: broker.admit(client, message).in_memory,
        is_sound=_is_sound,
        clock_ms=broker.clock_ms,
    )
    reader = Reader(client, Rank.LIVE, federation)
    for pattern in config.sent_patterns:
        broker.subscribe(client, pattern, reader)
    return federation


def health_of(federation: "Federation | None") -> Callable[[], ComponentHealth]:
    if federation is None:
        return lambda: ComponentHealth(status="off", detail="not in the configuration")
    return federation.health


def handlers(federation: "Federation | None") -> Mapping[str, Handler]:
    async def reconnect(_: Call, __: NoParams) -> FederationResult:
        if federation is None:
            raise DeskbusError(
                UNAVAILABLE,
                "This backend is not federated.",
                action="Add [federation] to the configuration.",
            )
        return FederationResult(health=await federation.reconnect())

    return {"federation.reconnect": reconnect}


def _is_sound(envelope: bytes) -> bool:
    # The frame that it goes out in is one level deeper.
    return len(envelope) <= MAX_ENVELOPE_BYTES and not is_too_deep(envelope, MAX_DEPTH - 1)
