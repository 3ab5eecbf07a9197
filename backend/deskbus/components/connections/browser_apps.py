"""BrowserApps: the apps that an ordinary browser may open, where that is configured."""

from importlib.util import find_spec

from msgspec import UnsetType

from deskbus.components.access.access_control import AccessControl
from deskbus.config import ConfigError, Settings
from deskbus.storage.awake_clock import awake_s
from deskbus.web.pages.shell_pages import ShellPages
from deskbus.web.web_apps import WebApps
from deskbus.web.web_state import WebState


class BrowserApps:
    """`apps` is None without `[web]`; `state` tells of the gateway that serves them.

    `shell_pages` are those that a shell loads from the disk, with or without a gateway.
    """

    def __init__(self, settings: Settings, access: AccessControl) -> None:
        """Raises `ConfigError` where the gateway's server is not installed, or has no port."""
        self.apps = _apps(settings)
        self.state = WebState(configured=self.apps is not None)
        if self.apps is not None:
            access.follow_manifests(self.apps.declare, self.apps.withdraw)
        self.shell_pages = ShellPages()
        access.follow_manifests(self.shell_pages.declare, self.shell_pages.withdraw)


def _apps(settings: Settings) -> WebApps | None:
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
    return WebApps(config, port, awake_s)
