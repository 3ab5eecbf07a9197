"""BrowserApps: the apps that an ordinary browser may open, where that is configured."""

from collections.abc import Callable
from importlib.util import find_spec

from msgspec import UnsetType

from deskbus.components.access.access_control import AccessControl
from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.connections.browser_pairings import BrowserPairings
from deskbus.components.messaging.messaging import Messaging
from deskbus.components.user_interface import UserInterface
from deskbus.config import ConfigError, Settings
from deskbus.security.permission_checker import ConsentMode
from deskbus.storage.clocks import running_ms
from deskbus.ui.pairing_dialogs import PairingDialogs
from deskbus.web.origins.browser_entrance import BrowserEntrance
from deskbus.web.origins.entrances import Entrances
from deskbus.web.origins.operator_access import OperatorAccess
from deskbus.web.origins.pairing_requests import PairingRequests
from deskbus.web.pages.shell_pages import ShellPages
from deskbus.web.web_apps import WebApps
from deskbus.web.web_state import WebState


class BrowserApps:
    """`apps` is None without `[web]`, and so are the `entrances`; `state` tells of the gateway that
    serves them.

    `shell_pages` are those that a shell loads from the disk, with or without a gateway.
    """

    def __init__(
        self,
        run: BackendRun,
        mode: ConsentMode,
        access: AccessControl,
        auditing: Auditing,
        messaging: Messaging,
        user_interface: UserInterface,
    ) -> None:
        """Raises `ConfigError` where the gateway's server is not installed, or has no port."""
        shell = user_interface.shell
        self.apps = _apps(run.settings, lambda: shell.language.code)
        self.state = WebState(configured=self.apps is not None)
        self.shell_pages = ShellPages()
        access.follow_manifests(self.shell_pages.declare, self.shell_pages.withdraw)
        self.entrances: Entrances | None = None
        if self.apps is None:
            return
        access.follow_manifests(self.apps.declare, self.apps.withdraw)
        browsers, trail, violations = self.apps.browsers, auditing.trail, auditing.violations
        entrance = BrowserEntrance(browsers, trail=trail, violations=violations)
        dialogs = PairingDialogs(shell, user_interface.dialogs)
        known = access.security.apps
        self.entrances = Entrances(
            operators=OperatorAccess(
                browsers,
                trail=trail,
                violations=violations,
                monotonic_s=running_s,
                clock_ms=messaging.bus.broker.clock_ms,
            ),
            apps=entrance,
            pairings=PairingRequests(
                browsers,
                entrance,
                BrowserPairings(dialogs, mode, lambda app: known.identity(app).verified),
                trail=trail,
                monotonic_s=running_s,
            ),
        )


def running_s() -> float:
    """Seconds including the machine's sleep, since a browser's time is a person's."""
    return running_ms() / 1000


def _apps(settings: Settings, language: Callable[[], str]) -> WebApps | None:
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
    return WebApps(config, port, running_s, language)
