"""WebGateway: apps in an ordinary browser, where that is configured."""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio
from msgspec import UnsetType

from deskbus.audit.violation_recorder import ViolationRecorder
from deskbus.components.access.access_control import AccessControl
from deskbus.components.apps.app_processes import LOG_FOLDER
from deskbus.components.connections.connection_acceptor import ConnectionAcceptor
from deskbus.components.connections.sessions import Sessions
from deskbus.config import AUDIT_FOLDER, MESSAGE_FOLDER, VAULT_FOLDER, ConfigError, Settings
from deskbus.observability.metrics.exposition import MetricsExposition
from deskbus.storage.awake_clock import awake_s
from deskbus.transport.outbox import Flusher
from deskbus.vault.service import VaultService
from deskbus.web.web_apps import WebApps
from deskbus.web.web_state import WebState
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.events import CspViolation, CsrfViolation, OriginViolation
from deskbus_protocol.health import Status

if TYPE_CHECKING:
    from deskbus.web.server.listener import WebListener

CHECK_EVERY_S = 2.0
"""How often an app's files are read anew, however often its pages are asked for."""


def web_apps_of(settings: Settings, access: AccessControl) -> WebApps | None:
    """None without `[web]`; raises `ConfigError` where its server is not installed."""
    config = settings.config.web
    if isinstance(config, UnsetType):
        return None
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ConfigError("[web] needs its server: pip install 'deskbus[web]'")
    from deskbus.web.server.listener import port_for

    wanted = None if isinstance(config.port, UnsetType) else config.port
    try:
        port = port_for(settings.data_dir, wanted)
    except OSError as error:
        raise ConfigError(f"[web]: no port can be had: {error.strerror}") from error
    apps = WebApps(config, port, awake_s)
    access.follow_manifests(apps.declare, apps.withdraw)
    return apps


class WebGateway:
    """`status` tells the worst of the backend's components."""

    def __init__(
        self,
        settings: Settings,
        apps: WebApps | None,
        *,
        sessions: Sessions,
        acceptor: ConnectionAcceptor,
        violations: ViolationRecorder,
        access: AccessControl,
        flusher: Flusher,
        status: Callable[[], Status],
        state: WebState,
        metrics: MetricsExposition,
        vault: VaultService,
    ) -> None:
        self._metrics = metrics
        self._vault = vault
        self._scrape_token = settings.config.metrics.token
        self._state = state
        self._sessions = sessions
        self._violations = violations
        self._access = access
        self._status = status
        self._checked: dict[str, float] = {}
        self._turn = anyio.Lock()
        self._listener: WebListener | None = None
        if apps is not None:
            self._listener = self._listen(settings, apps, acceptor, flusher, state)

    def _listen(
        self,
        settings: Settings,
        apps: WebApps,
        acceptor: ConnectionAcceptor,
        flusher: Flusher,
        state: WebState,
    ) -> "WebListener":
        # Imported here, so that a backend without a gateway starts without its server.
        from deskbus.web.gateway import Gateway
        from deskbus.web.rpc_exchange import RpcExchange
        from deskbus.web.server.http_connection import Listening, config_of
        from deskbus.web.server.listener import WebListener
        from deskbus.web.websocket.sockets import WebSockets

        data_dir = settings.data_dir
        private = (MESSAGE_FOLDER, VAULT_FOLDER, AUDIT_FOLDER, LOG_FOLDER)
        gateway = Gateway(
            self,
            sites=apps.sites,
            browsers=apps.browsers,
            exchange=RpcExchange(acceptor.accept, flusher),
            policy_of=apps.policy_of,
            closed=(settings.runtime_dir, *(data_dir / name for name in private)),
            state=state,
            monotonic_s=time.monotonic,
        )
        sockets = WebSockets(apps.sites, flusher, acceptor.accept, state)
        listening = Listening(config_of(gateway), sockets)
        return WebListener(apps.sites.port, listening, state, sockets.close)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self._listener is None:
            yield
            return
        async with self._listener.running():
            yield

    def mint(self, identity: ClientId) -> str:
        return self._sessions.mint(identity)

    async def check_app(self, app: str) -> None:
        """Raises `DeskbusError` (permission_denied); an app that changed has to ask again."""
        async with self._turn:
            now_s = time.monotonic()
            if now_s - self._checked.get(app, -CHECK_EVERY_S) >= CHECK_EVERY_S:
                await self._access.check_launch(app)
                self._checked[app] = now_s

    async def record(self, violation: OriginViolation | CsrfViolation | CspViolation) -> None:
        self._state.violations[str(violation.__struct_config__.tag)] += 1
        await self._violations.record(violation)

    async def metrics(self, token: str, accept: str) -> tuple[str, bytes] | None:
        """Raises `DeskbusError` (not_found) where no token is configured."""
        if isinstance(self._scrape_token, UnsetType):
            raise DeskbusError(NOT_FOUND, "There is nothing here.")
        expected = await self._vault.resolve(self._scrape_token)
        if not secrets.compare_digest(token.encode(), expected.encode()):
            return None
        return self._metrics.render(accept)

    def status(self) -> Status:
        return self._status()
