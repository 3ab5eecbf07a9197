"""Messaging: the bus, with the log of persisted topics behind it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio

from deskbus.bus.broker import MessageBroker
from deskbus.bus.recovery.replay import Replays
from deskbus.bus.service import InterApplicationBus
from deskbus.components.access.access_control import AccessControl
from deskbus.components.backend_run import BackendRun
from deskbus.components.component_settings import persistence_of
from deskbus.components.messaging.channel_access import ChannelAccess
from deskbus.contracts.listeners import Listeners
from deskbus.persistence.topic_log import TopicLog
from deskbus.storage.awake_clock import tick_every
from deskbus.storage.clocks import SteadyClock
from deskbus.vault.vault import Vault
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.fdc3 import CHANNEL_TOPICS, INBOX_TOPICS
from deskbus_protocol.secrets import VaultStatus

TICK_S = 0.1
"""How late expiry and redelivery may be."""

NOTE_USES_EVERY_S = 60.0
"""How exact `lastUsed` of a permission is."""


class Messaging:
    """`client_ended` tells of each client whose time to come back is over."""

    def __init__(self, run: BackendRun, vault: Vault, access: AccessControl) -> None:
        self._loops = run.loops
        self._security = security = access.security
        clock = SteadyClock()
        self.persistence = persistence_of(run.settings, vault, clock)
        # Nobody replays an inbox, or a private channel.
        self.log = TopicLog(
            self.persistence,
            run.settings.config.persistence.topics,
            never=(f"{INBOX_TOPICS}.#", f"{CHANNEL_TOPICS}.private.#"),
        )
        self.access = ChannelAccess(security.checker)
        self.client_ended = Listeners[ClientId]()
        self.client_ended.add(security.forget_client)
        self.bus = InterApplicationBus(
            MessageBroker(run.epoch, self.access, self.log, clock),
            self.access,
            on_gone=security.forget_session,
            on_ended=self.client_ended,
            latency=run.latency,
        )
        self.replays = Replays(self.bus, self.log)
        access.changed.add(self._grants_changed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the bus and its log; the last messages are on disk before it ends."""
        async with AsyncExitStack() as stack:
            if self.persistence is not None:
                await stack.enter_async_context(self.persistence.running())
            tick = partial(tick_every, TICK_S, self.bus.begin_tick)
            await stack.enter_async_context(self._loops.running(tick, self._note_uses))
            yield

    def vault_changed(self, _: VaultStatus) -> None:
        if self.persistence is not None:
            self.persistence.vault_changed()

    def _grants_changed(self, app: str) -> None:
        self.bus.grants_changed(app, self._security.checker.epoch)

    async def _note_uses(self) -> None:
        while True:
            await anyio.sleep(NOTE_USES_EVERY_S)
            await self.bus.broker.note_uses(self._security.checker.note_read)
