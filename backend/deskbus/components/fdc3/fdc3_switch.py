"""FDC3 as the configuration has it: on, with a desktop agent, or off."""

from msgspec import UnsetType

from deskbus.components.access.access_control import AccessControl
from deskbus.components.apps.app_processes import AppProcesses
from deskbus.components.audit.auditing import Auditing
from deskbus.components.backend_run import BackendRun
from deskbus.components.connections.browser_apps import BrowserApps
from deskbus.components.connections.connections import Connections
from deskbus.components.fdc3.fdc3 import Fdc3, Fdc3Off
from deskbus.components.messaging.messaging import Messaging
from deskbus.ui.shell import Shell


def fdc3_of(
    run: BackendRun,
    messaging: Messaging,
    access: AccessControl,
    apps: AppProcesses,
    shell: Shell,
    auditing: Auditing,
    connections: Connections,
    browser_apps: BrowserApps,
) -> Fdc3:
    config = run.settings.config.fdc3
    if isinstance(config, UnsetType):
        return Fdc3Off()
    # Imported here, so that a backend without FDC3 starts without its modules.
    from deskbus.components.fdc3.fdc3_agent import Fdc3Agent

    return Fdc3Agent(
        run, config, messaging, access, apps, shell, auditing, connections, browser_apps
    )
