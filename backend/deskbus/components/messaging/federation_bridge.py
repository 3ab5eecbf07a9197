"""FederationBridge: joins the bus and its log to those of other machines, where configured."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from msgspec import UnsetType

from deskbus.bus.route import BusClient, Rank, Reader
from deskbus.components.backend_run import BackendRun
from deskbus.components.messaging.messaging import Messaging
from deskbus.config import ConfigError, FederationConfig, Settings
from deskbus.languages.health_words import phrase, told
from deskbus.security.service import SecurityManager
from deskbus.vault.service import VaultService
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.health import ComponentHealth
from deskbus_protocol.wire.framing import MAX_FRAME_BYTES
from deskbus_protocol.wire.jsontext import MAX_DEPTH, is_too_deep

if TYPE_CHECKING:
    from deskbus.federation.nats_port import NatsPort
    from deskbus.federation.service import Federation

FEDERATION_APP = "deskbus.federation"
"""The app as which other machines read and write here; trusted, since `send` and `receive` decide.
"""

MAX_ENVELOPE_BYTES = MAX_FRAME_BYTES - 1024
"""Leaves room for our own stamps."""


class FederationBridge:
    """`federation` is None without `[federation]`."""

    def __init__(
        self,
        run: BackendRun,
        messaging: Messaging,
        vault: VaultService,
        security: SecurityManager,
    ) -> None:
        """Raises `ConfigError` where the client of the federation is not installed."""
        config = run.settings.config.federation
        self._loops = run.loops
        self.federation: Federation | None = None
        if not isinstance(config, UnsetType):
            identity = ClientId(FEDERATION_APP, config.name)
            security.trust(identity)
            self.federation = _join(run.settings, config, messaging, vault, identity)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self.federation is None:
            yield
            return
        async with self._loops.running(self.federation.run):
            yield

    def health(self) -> ComponentHealth:
        if self.federation is None:
            return told("off", phrase("not-configured", section="[federation]"))
        return self.federation.health()


def _join(
    settings: Settings,
    config: FederationConfig,
    messaging: Messaging,
    vault: VaultService,
    identity: ClientId,
) -> "Federation":
    if find_spec("nats") is None:
        raise ConfigError("[federation] needs the client of NATS: pip install 'deskbus[nats]'")
    # Here, so that a backend without federation starts without it.
    from deskbus.federation.service import Federation

    broker = messaging.bus.broker
    client = BusClient(identity, broker.epoch)

    async def connect() -> "NatsPort":
        # Imported at the first attempt: nothing else waits for it.
        from deskbus.federation import nats_connection

        return await nats_connection.connect(config, settings.folder, vault.resolve)

    federation = Federation(
        config,
        folder=settings.data_dir,
        messages=messaging.log if settings.config.persistence.enabled else None,
        connect=connect,
        admit=lambda message: broker.admit(client, message).in_memory,
        is_sound=_is_sound,
        clock_ms=broker.clock_ms,
    )
    reader = Reader(client, Rank.LIVE, federation)
    for pattern in config.sent_patterns:
        broker.subscribe(client, pattern, reader)
    return federation


def _is_sound(envelope: bytes) -> bool:
    # The frame that it goes out in is one level deeper.
    return len(envelope) <= MAX_ENVELOPE_BYTES and not is_too_deep(envelope, MAX_DEPTH - 1)
