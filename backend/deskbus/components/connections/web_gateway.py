"""WebGateway: apps in an ordinary browser, where that is configured."""

import os
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
from msgspec import UnsetType

from deskbus.components.apps.app_processes import LOG_FOLDER
from deskbus.components.backend_run import BackendRun
from deskbus.components.capabilities import Capabilities
from deskbus.components.connections.connection_acceptor import ConnectionAcceptor
from deskbus.components.monitoring.monitoring import Monitoring
from deskbus.config import AUDIT_FOLDER, MESSAGE_FOLDER, VAULT_FOLDER, ConfigError
from deskbus.storage.awake_clock import tick_every
from deskbus.web.origins.browser_sessions import BrowserEnd
from deskbus.web.origins.entrances import Entrances
from deskbus.web.web_apps import WebApps
from deskbus_protocol.envelope import ClientId
from deskbus_protocol.errors import NOT_FOUND, DeskbusError
from deskbus_protocol.events import CspViolation, CsrfViolation, OriginViolation
from deskbus_protocol.health import Status

if TYPE_CHECKING:
    from deskbus.web.server.listener import WebListener

CHECK_EVERY_S = 2.0
"""How often an app's files are read anew, however often its pages are asked for."""

SWEEP_S = 1.0
"""How soon a browser whose time is over loses its links; what it asks is refused at once."""


class WebGateway:
    def __init__(
        self,
        run: BackendRun,
        capabilities: Capabilities,
        acceptor: ConnectionAcceptor,
        monitoring: Monitoring,
    ) -> None:
        self._metrics = monitoring.metrics.exposition
        self._monitor = monitoring.health.monitor
        self._vault = capabilities.vault
        self._scrape_token = run.settings.config.metrics.token
        browser_apps = capabilities.browser_apps
        self._state = browser_apps.state
        self._sessions = capabilities.connections.sessions
        self._violations = capabilities.auditing.violations
        self._access = capabilities.access
        self._checked: dict[str, float] = {}
        self._turn = anyio.Lock()
        self._loops = run.loops
        self._listener: WebListener | None = None
        self._apps, self._entrances = browser_apps.apps, browser_apps.entrances
        if self._apps is not None and self._entrances is not None:
            self._apps.browsers.ended.add(self._browser_ended)
            self._listener = self._listen(run, self._apps, self._entrances, acceptor)

    def _listen(
        self,
        run: BackendRun,
        apps: WebApps,
        entrances: Entrances,
        acceptor: ConnectionAcceptor,
    ) -> "WebListener":
        # Imported here, so that a backend without a gateway starts without its server.
        from deskbus.web.gateway import Gateway
        from deskbus.web.rpc_exchange import RpcExchange
        from deskbus.web.server.http_connection import Listening, config_of
        from deskbus.web.server.listener import WebListener
        from deskbus.web.websocket.sockets import WebSockets

        data_dir, flusher, state = run.settings.data_dir, run.flusher, self._state
        private = (MESSAGE_FOLDER, VAULT_FOLDER, AUDIT_FOLDER, LOG_FOLDER)
        gateway = Gateway(
            self,
            sites=apps.sites,
            browsers=apps.browsers,
            entrances=entrances,
            exchange=RpcExchange(acceptor.accept, flusher),
            policy_of=apps.policy_of,
            home_of=apps.home_of,
            closed=(run.settings.runtime_dir, *(data_dir / name for name in private)),
            state=state,
            monotonic_s=time.monotonic,
        )
        sockets = WebSockets(apps.sites, flusher, acceptor.accept, state)
        scrapers = frozenset(_uid_of(user) for user in run.settings.config.metrics.scrapers)
        listening = Listening(config_of(gateway), sockets, scrapers)
        return WebListener(apps.sites.port, listening, state, sockets.close, run.loops)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        if self._listener is None or self._apps is None or self._entrances is None:
            yield
            return
        browsers = self._apps.browsers
        sweep = partial(tick_every, SWEEP_S, browsers.sweep)
        async with (
            self._entrances.pairings.running(),
            self._listener.running(),
            self._loops.running(sweep),
        ):
            try:
                yield
            finally:
                browsers.close()

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

    async def metrics(self, token: str | None, accept: str) -> tuple[str, bytes] | None:
        """Raises `DeskbusError` (not_found) where no token is configured."""
        if token is None:
            return self._metrics.render(accept)
        if isinstance(self._scrape_token, UnsetType):
            raise DeskbusError(NOT_FOUND, "There is nothing here.")
        expected = await self._vault.resolve(self._scrape_token)
        if not secrets.compare_digest(token.encode(), expected.encode()):
            return None
        return self._metrics.render(accept)

    def is_developer(self, token: str) -> bool:
        return self._sessions.is_developer(token)

    def _browser_ended(self, end: BrowserEnd) -> None:
        self._sessions.end_clients(end.browser.app, end.browser.is_own_client)

    def status(self) -> Status:
        """The worst of the backend's components."""
        return self._monitor.report().status


def _uid_of(user: str) -> int:
    """The number of a user who may scrape, by name or number; raises `ConfigError`."""
    if sys.platform != "linux":
        raise ConfigError("metrics.scrapers: this system does not say whose a connection is")
    else:  # noqa: RET506 - so that mypy reads it on no other system
        import pwd

        try:
            uid = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        except KeyError:
            raise ConfigError(f"metrics.scrapers: there is no user {user!r} here") from None
        if uid == os.getuid():
            # Every app is a process of this user.
            raise ConfigError("metrics.scrapers: the backend's own user needs metrics.token")
        return uid
