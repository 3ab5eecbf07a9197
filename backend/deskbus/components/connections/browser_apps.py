"""BrowserApps: the apps that an ordinary browser may open, where that is configured."""

from collections.abc import Callable
from importlib.util import find_spec

from msgspec import UnsetType

from deskbus.components.access.access_control import AccessControl
from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.messaging.messaging import Messaging
from deskbus.config import ConfigError, Settings
from deskbus.storage.clocks import running_ms
from deskbus.ui.shell import Shell
from deskbus.web.origins.browser_sessions import Browser
from deskbus.web.origins.operator_access import OperatorAccess
from deskbus.web.pages.shell_pages import ShellPages
from deskbus.web.web_apps import WebApps
from deskbus.web.web_state import WebState
from deskbus_protocol.control import CONTROL_APP
from deskbus_protocol.events import BrowserEntered


class BrowserApps:
    """`apps` is None without `[web]`, and so is `operators`, which lets browsers look and act in
    the control centre; `state` tells of the gateway that serves them.

    `shell_pages` are those that a shell loads from the disk, with or without a gateway.
    """

    def __init__(
        self,
        run: BackendRun,
        access: AccessControl,
        auditing: Auditing,
        messaging: Messaging,
        shell: Shell,
    ) -> None:
        """Raises `ConfigError` where the gateway's server is not installed, or has no port."""
        self.apps = _apps(run.settings, lambda: shell.language.code)
        self.state = WebState(configured=self.apps is not None)
        self.shell_pages = ShellPages()
        access.follow_manifests(self.shell_pages.declare, self.shell_pages.withdraw)
        self.operators: OperatorAccess | None = None
        if self.apps is None:
            return
        access.follow_manifests(self.apps.declare, self.apps.withdraw)
        self._trail = auditing.trail
        self.apps.browsers.entered.add(self._record_entered)
        self.operators = OperatorAccess(
            self.apps.browsers,
            trail=auditing.trail,
            violations=auditing.violations,
            monotonic_s=running_s,
            clock_ms=messaging.bus.broker.clock_ms,
        )

    def _record_entered(self, browser: Browser) -> None:
        if browser.app != CONTROL_APP:
            entered = BrowserEntered(app=browser.app, client=browser.name, origin=browser.origin)
            self._trail.note(entered)


def running_s() -> float:
    """Time that goes by while the machine sleeps, too: a browser's time is a person's."""
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
